"""The page that is served while a search runs: on this machine alone, as the database has it, and nothing else."""

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.studies.report import live
from ganprune.studies.report.live import LivePage, LiveServer

from ...browser_tab import Tab
from ...records_by_hand import record, trial
from ...tiny_study import made

STUDY = record(trial(0, 400, 10.0, origin="ladder:0"), trial(1, 200, 20.0, origin="ladder:1"))


@contextmanager
def served(read):
    with LiveServer(LivePage(read, Path("/nowhere")), port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def asked(server, path="/", **headers):
    connection = http.client.HTTPConnection(*server.server_address)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, content


def test_the_page_follows_the_record(monkeypatch):
    """The same record is told by its mark alone; a new trial is a new page."""
    monkeypatch.setattr(live, "CACHE_S", 0.0)
    records = [STUDY]
    with served(lambda: records[-1]) as server:
        status, headers, page = asked(server)
        assert status == 200
        assert '"live":{"mark":' in page
        assert "connect-src &#39;self&#39;" in page
        mark = headers["ETag"]
        assert asked(server, If_None_Match=mark)[0] == 304
        records.append(replace(STUDY, trials=(*STUDY.trials, trial(2, 300, 7.0))))
        status, headers, page = asked(server, If_None_Match=mark)
        assert (status, headers["ETag"] == mark) == (200, False)
        assert '"number":2' in page


@pytest.mark.long
def test_an_open_page_follows_the_record(monkeypatch):
    """A trial that ends appears without a reload; what is pinned, opened, focused and read stays as it was."""
    monkeypatch.setattr(live, "CACHE_S", 0.0)
    monkeypatch.setattr(live, "POLL_S", 0.1)
    records = [STUDY]
    top = "Math.round(document.getElementById('only').getBoundingClientRect().top)"
    with served(lambda: records[-1]) as server, Tab() as tab:
        tab.open(server.address, "document.documentElement.dataset.ready === 'yes'")
        tab.value("window.same = true")
        tab.click("#trials-body tr:last-child button")
        tab.value("document.querySelector('#details details').open = true")
        tab.middle("#only")
        assert tab.value("document.activeElement.getAttribute('aria-label')") == "trial 0, on the front"
        before = tab.value(top)
        records.append(
            replace(STUDY, trials=(*STUDY.trials, *(trial(n, 250 + n, 12.0 - n, "widths") for n in range(2, 9))))
        )
        tab.until("document.getElementById('count').textContent.startsWith('9 of 9 trials')")
        assert tab.value("window.same")
        assert tab.text("live").startswith("live: changed at")
        assert tab.value("[...document.querySelectorAll('#front-table tr')].length") > len(STUDY.trials) + 1
        assert "Trial 0: uniform" in tab.text("panel")
        assert "trial=0" in tab.value("location.hash")
        assert tab.value("document.activeElement.getAttribute('aria-label')") == "trial 0"  # it left the front
        assert tab.value("document.querySelector('#details details').open")
        assert abs(tab.value(top) - before) <= 1
        records.append(None)  # the database is away for a moment
        tab.until("document.getElementById('live').textContent.endsWith('no answer')")
        records.append(records[1])
        tab.until("!document.getElementById('live').textContent.endsWith('no answer')")
        assert not [error for error in tab.errors if "503" not in error]


def test_only_this_machine_is_served():
    """The server listens on loopback, refuses requests for another name, and has one page."""
    with served(lambda: STUDY) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert asked(server, Host="evil.example")[0] == 403
        assert asked(server, "/../../etc/passwd")[0] == 404


def test_a_database_that_is_away_is_no_end(monkeypatch):
    """The page's question fails, and the next one is answered."""
    monkeypatch.setattr(live, "CACHE_S", 0.0)
    answers = [STUDY, OSError("the database is locked")]

    def read():
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer

    with served(read) as server:
        status, _, said = asked(server)
        assert (status, said.strip()) == (503, "the database is locked")
        assert asked(server)[0] == 200


def test_bad_ports_are_refused_in_one_line():
    """A port that is none, and one that is taken."""
    page = LivePage(lambda: STUDY, Path("/nowhere"))
    for port in (-1, 65536, 10**9):
        with pytest.raises(UserError, match=rf"--port is not a port: got {port}; expected 0 to 65535"):
            LiveServer(page, port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UserError, match="cannot be used: got address already in use; expected a free one"):
            LiveServer(page, other.getsockname()[1])


@pytest.mark.long
def test_ctrl_c_ends_the_command(tmp_path):
    """The command prints the address, answers, and ends with 0 after one line."""
    study = made()
    code = "import sys; sys.argv[0] = 'ganprune'; from ganprune.studies.cli.main import main; main()"
    place = ("--storage", f"sqlite:///{study.root.parent}/study.db", "--artifacts", str(study.root))
    command = [sys.executable, "-c", code, "report", "tiny", "--live", "--port", "0", *place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        line = process.stdout.readline()
        host, port = re.match(r"http://([\d.]+):(\d+)/ shows study tiny", line).groups()
        connection = http.client.HTTPConnection(host, int(port))
        connection.request("GET", "/")
        assert b'id="data"' in connection.getresponse().read()
        connection.close()
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "no longer served" in said
