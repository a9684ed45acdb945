# The local model provider as an image; the build context is the repository.
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE}

WORKDIR /app
ENV PYTHONPATH=/app/src \
    PYTHONUNBUFFERED=1

COPY systems/gateway.requirements.txt requirements.txt
RUN pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY src/stackproof/__init__.py src/stackproof/errors.py src/stackproof/waiting.py src/stackproof/
COPY src/stackproof/redaction src/stackproof/redaction
COPY src/stackproof/gateway src/stackproof/gateway
RUN adduser --system --no-create-home gateway
USER gateway

EXPOSE 4000
CMD ["python", "-m", "stackproof.gateway", "--host", "0.0.0.0", "--port", "4000"]
