"""Variables of the caller that services, and the tools that prepare them, get to see."""

from __future__ import annotations

PASSED_ON = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "STACKPROOF_CACHE_DIR")
"""The only variables of the caller that services see: whom this machine trusts."""

TOOLS_ENVIRONMENT = (
    "HOME", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_CACHE_DIR",
    "UV_OFFLINE", "UV_PYTHON_DOWNLOADS", "UV_PYTHON_INSTALL_MIRROR", "PIP_INDEX_URL",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy",
    "no_proxy", "NODE_EXTRA_CA_CERTS", "npm_config_registry", "NPM_CONFIG_REGISTRY",
    "NPM_CONFIG_USERCONFIG", "npm_config_userconfig", "npm_config_cafile", "NPM_CONFIG_CAFILE",
)  # fmt: skip
"""Further variables of the caller for the tools that prepare a start, such as uv and npm."""
