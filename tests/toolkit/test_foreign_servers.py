"""Servers that strangers' stacks have, run natively as their images would: one stack with all."""

import json
import re
import urllib.request

import pytest

FILES = {
    "compose.yaml": """\
        services:
          web:
            image: nginx:1.27-alpine
            ports: ["8080:80"]
            environment: {BACKEND: front}
            volumes:
              - ./site.conf.template:/etc/nginx/templates/default.conf.template:ro
            depends_on: [front]
          front:
            build: front
          edge:
            image: caddy:2
            ports: ["8081:80"]
            volumes: ["./Caddyfile:/etc/caddy/Caddyfile:ro"]
            depends_on: [front]
          bus:
            image: nats:2
            command: -js --store_dir /data -m 8222
            ports: ["8222"]
            volumes: ["bus:/data"]
          store:
            image: quay.io/coreos/etcd:v3.5.9
            volumes: ["store:/data"]
          cache:
            image: memcached:1.6
            command: memcached -m 32
          db:
            image: mariadb:11
            command: --character-set-server=utf8mb4
            environment:
              MARIADB_ROOT_PASSWORD_FILE: /run/secrets/root
              MARIADB_DATABASE: my_shop
              MARIADB_USER: app
              MARIADB_PASSWORD: "pa\\\\ss-of-the-test"
            volumes:
              - ./init:/docker-entrypoint-initdb.d
              - ./own.cnf:/etc/mysql/conf.d/own.cnf:ro
              - data:/var/lib/mysql
            secrets: [root]
            healthcheck: {test: [CMD, healthcheck.sh, --connect]}
          old:
            build: old
            command: --default-authentication-plugin=mysql_native_password
            environment: {MYSQL_ALLOW_EMPTY_PASSWORD: "yes", MYSQL_DATABASE: two}
            healthcheck: {test: mysqladmin ping -h localhost || exit 1}
        volumes: {data: {}, bus: {}, store: {}}
        secrets: {root: {file: root.txt}}
        """,
    "root.txt": "ro'ot-of-the-test\n",
    "site.conf.template": """\
        server {
            listen 80;
            location / { proxy_set_header Host $host; proxy_pass http://${BACKEND}:8080; }
        }
        """,
    "Caddyfile": ":80 {\n\treverse_proxy front:8080\n}\n",
    "front/Dockerfile": "FROM nginx:1.27\nCOPY site.conf /etc/nginx/conf.d/default.conf\n"
    "COPY pages /usr/share/nginx/html\nEXPOSE 8080\n",
    "front/site.conf": "server { listen 8080; root /usr/share/nginx/html; }\n",
    "front/pages/index.html": "the page of the image\n",
    "init/01.sql": "create table item (name varchar(20)); insert into item values ('é');\n",
    "init/02.sh": """mysql -uroot -p"$MARIADB_ROOT_PASSWORD" my_shop -e "insert into item """
    """values ('by a script')"\n""",
    "own.cnf": "[mysqld]\nmax_connections = 77\n",
    "old/Dockerfile": "FROM mysql:8.0\nCOPY start.sql /docker-entrypoint-initdb.d/\n",
    "old/start.sql": "create table t (n int); insert into t values (42);\n",
    "config/shop.yaml": """\
        stack: shop
        compose_files: [../compose.yaml]
        world: private
        ports: {web: PORT0, edge: PORT1, bus: {8222: PORT2}}
        images:
          coreos/etcd:
            program: etcd
            debian: [etcd-server]
            port: 2379
            scheme: http
            command: >-
              --data-dir /data --listen-client-urls http://0.0.0.0:2379
              --advertise-client-urls http://store:2379
        """,
}


@pytest.fixture
def shop(project, free_ports):
    for name, text in FILES.items():
        project.write(name, text)
    for number, port in enumerate(free_ports[:3]):
        project.replace("config/shop.yaml", f"PORT{number}", str(port))
    return project


def test_web_servers_caches_and_databases_come_up_with_what_their_images_and_files_say(
    shop, free_ports
):
    said = shop.invoke("up")
    assert "etcd 3." in said
    assert "stands in for etcd:3.5" in said
    assert "stands in for mariadb:11" in said
    assert "stands in for mysql:8.0" in said
    assert "--default-authentication-plugin=mysql_native_password is left out" in said

    def page(port, path=""):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as answer:
            return answer.read()

    assert page(free_ports[0]) == page(free_ports[1]) == b"the page of the image\n"
    assert json.loads(page(free_ports[2], "jsz"))["config"]["store_dir"] == "/data/jetstream"

    (store,) = re.findall(r"^store .*(http://\S+)", shop.invoke("urls"), re.MULTILINE)
    assert "etcdserver" in json.loads(page(store.rpartition(":")[2], "version"))

    def ask(service, sql, *who):
        return shop.invoke("exec", service, "--", "mysql", "-N", *who, "-e", sql).split("\n")[:-1]

    app = ("-uapp", "-ppa\\ss-of-the-test", "my_shop")
    assert ask("db", "select name from item", *app) == ["é", "by a script"]
    assert ask("db", "select @@max_connections, @@character_set_server", *app) == ["77\tutf8mb4"]
    root = ("-h", "db", "-uroot", "-pro'ot-of-the-test")
    assert ask("db", "select current_user()", *root) == ["root@%"]
    assert ask("old", "select n from t", "two") == ["42"]

    ask("db", "insert into item values ('kept')", *app)
    shop.invoke("restart", "db")
    assert ask("db", "select count(*) from item", *app) == ["3"]

    shop.invoke("down")
    shop.wait_until_nothing_is_left()
