"""deploy/proxies: nginx and Caddy take the files, and pass requests and WebSockets on."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
import yaml
from websockets.sync.client import connect

from launcher.ports import free_ports
from tests.support.certificates import Authority
from tests.support.service import BEARER, service
from tests.support.webserver import web

__all__ = ["service", "web"]
PROXIES = Path(__file__).parents[1] / "deploy" / "proxies"
HOST = "backup.example.com"
PATIENCE = 30


@pytest.fixture
def port(settings, service):
    settings.ALLOWED_HOSTS = [HOST, "127.0.0.1"]
    return free_ports(1)[0]


@contextmanager
def running(command, port, **options):
    """Until it listens, and ended afterwards."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    try:
        end = monotonic() + PATIENCE
        while True:
            assert process.poll() is None
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                assert monotonic() < end
                sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def speaks(scheme, port, context=None):
    """A request and a WebSocket go through, and the host's name with them."""
    asked = urllib.request.Request(
        f"{scheme}://127.0.0.1:{port}/api/backup/status", headers=BEARER | {"Host": HOST}
    )
    with urllib.request.urlopen(asked, timeout=PATIENCE, context=context) as answer:
        assert json.load(answer)["s3Bucket"] == "nowhere"
    address = f"{scheme.replace('http', 'ws')}://127.0.0.1:{port}/ws/backup/"
    with connect(address, additional_headers=BEARER, ssl=context) as socket:
        assert "jobs" in json.loads(socket.recv(PATIENCE))


@pytest.mark.django_db(transaction=True)
def test_nginx(web, port, tmp_path):
    authority = Authority(tmp_path / "authority")
    certificate = str(authority.certificate("proxy"))
    text = (PROXIES / "nginx.conf").read_text()
    for told, here in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/letsencrypt/live/{HOST}/fullchain.pem": certificate,
        f"/etc/letsencrypt/live/{HOST}/privkey.pem": certificate,
        "http://127.0.0.1:8000": f"http://{web}",
    }.items():
        assert told in text
        text = text.replace(told, here)
    (tmp_path / "site.conf").write_text(text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temps = "".join(f"{kind}_temp_path {tmp_path}/{kind}; " for kind in kinds)
    (tmp_path / "nginx.conf").write_text(
        f"user root; pid {tmp_path}/pid; daemon off; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; {temps}include {tmp_path}/site.conf; }}\n"
    )
    command = [shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", tmp_path / "nginx.conf"]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    context = ssl.create_default_context(cafile=authority.bundle)
    with running(command, port):
        speaks("https", port, context)


@pytest.mark.django_db(transaction=True)
def test_caddy(web, port, tmp_path):
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    caddy = ["caddy", "run", "--adapter", "caddyfile", "--config"]
    check = ["caddy", "validate", "--adapter", "caddyfile", "--config", PROXIES / "Caddyfile"]
    subprocess.run(check, check=True, capture_output=True, env=env)
    text = (PROXIES / "Caddyfile").read_text()
    text = text.replace(HOST, f"http://127.0.0.1:{port}, http://{HOST}:{port}")
    text = text.replace("127.0.0.1:8000", web)
    (tmp_path / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{text}")
    with running([*caddy, tmp_path / "Caddyfile"], port, env=env):
        speaks("http", port)


def test_the_file_for_traefik_is_yaml_with_one_service():
    made = yaml.safe_load((PROXIES / "traefik.yml").read_text())["http"]
    (router,) = made["routers"].values()
    assert router["service"] in made["services"]
