"""Encrypt, decrypt, data key and sign, audited, in SoftHSM, against OpenBao's transit engine: 1, 16, 64 connections."""

import base64
from collections.abc import Mapping

from benchmarks import openbao, ours
from benchmarks.figures import Figure, at_most
from benchmarks.load import Exchange, Order, Outcome, send
from benchmarks.openbao import OpenBao
from benchmarks.options import Options
from benchmarks.ours import Ours, require
from benchmarks.reads import middle

PLAINTEXT = base64.b64encode(bytes(range(256)) * 4).decode()
DIGEST = base64.b64encode(bytes(range(32))).decode()
CONNECTIONS = (1, 16, 64)
WORK = ("encrypt 1 KiB", "decrypt 1 KiB", "data key", "sign P-256")
Pair = tuple[Exchange, Exchange]


def run(options: Options) -> list[Figure]:
    """Rounds A B A B for each kind of work and number of connections: OpenBao, then ours."""
    with (
        openbao.running(options.directory / "openbao") as bao,
        # The rate of one account would be what is measured.
        ours.running(options.directory / "transit", keystore={"rate_per_account": 0}) as mine,
    ):
        work = _work(bao, mine)
        figures: list[Figure] = []
        for label, pair in work.items():
            for connections in (16,) if options.quick else CONNECTIONS:
                figures += _measured(label, connections, options, bao, mine, pair)
        return figures


def _work(bao: OpenBao, mine: Ours) -> Mapping[str, Pair]:
    bao.make_key("aes", "aes256-gcm96")
    bao.make_key("ec", "ecdsa-p256")
    aes = mine.make_key("AES_256", "ENCRYPT_DECRYPT")
    ec = mine.make_key("ECC_NIST_P256", "SIGN_VERIFY")
    theirs = bao.call("POST", "/v1/transit/encrypt/aes", {"plaintext": PLAINTEXT})["data"]["ciphertext"]
    own = require(mine.daemon.call("POST", f"/v1/keys/{aes}:encrypt", {"plaintext": PLAINTEXT}))["ciphertext"]
    there = (b'"plaintext":"' + PLAINTEXT.encode(), b'"plaintext":"' + PLAINTEXT.encode())
    signing = {"message": DIGEST, "message_type": "DIGEST"}
    return {
        WORK[0]: (
            bao.transit("encrypt/aes", {"plaintext": PLAINTEXT}, b'"ciphertext":"vault:v1:'),
            mine.post(f"/v1/keys/{aes}:encrypt", {"plaintext": PLAINTEXT}, b'"ciphertext":"AQEB'),
        ),
        WORK[1]: (
            bao.transit("decrypt/aes", {"ciphertext": theirs}, there[0]),
            mine.post("/v1/ciphertexts:decrypt", {"ciphertext": own}, there[1]),
        ),
        WORK[2]: (
            bao.transit("datakey/plaintext/aes", {}, b'"plaintext":"'),
            mine.post(f"/v1/keys/{aes}:generate-data-key", {}, b'"plaintext":"'),
        ),
        WORK[3]: (
            bao.transit("sign/ec/sha2-256", {"input": DIGEST, "prehashed": True}, b'"signature":"vault:v1:'),
            mine.post(f"/v1/keys/{ec}:sign", signing, b'"signature":"M'),
        ),
    }


def _measured(label: str, connections: int, options: Options, bao: OpenBao, mine: Ours, pair: Pair) -> list[Figure]:
    def measured(address: str, pid: int, exchange: Exchange) -> Outcome:
        return send(
            Order(
                address=address,
                connections=connections,
                scripts=[[exchange]] * connections,
                seconds=options.seconds,
                warm_up_seconds=options.warm_up_seconds,
                pids=[pid],
            )
        )

    peer: list[Outcome] = []
    our: list[Outcome] = []
    for _ in range(options.rounds):
        peer.append(measured(bao.socket, bao.pid, pair[0]))
        our.append(measured(mine.daemon.socket, mine.daemon.pid, pair[1]))
    name = f"{label}, {connections}"
    cpu, cpu_peer = middle(our, "cpu_per_thousand"), middle(peer, "cpu_per_thousand")
    p99, p99_peer = middle(our, "p99_ms"), middle(peer, "p99_ms")
    rates = f"{middle(peer, 'rate'):,.0f}/s, {middle(our, 'rate'):,.0f}/s"
    figures = [
        Figure(f"{name}: rate of OpenBao, ours", rates),
        Figure(f"{name}: CPU-s per 1,000 of OpenBao, ours", f"{cpu_peer:.3f}, {cpu:.3f}"),
    ]
    bar = 1.0 if connections == 1 else 0.5
    figures.append(at_most(f"{name}: CPU in parts of OpenBao's", cpu / cpu_peer, bar))
    if connections > 1:
        figures.append(at_most(f"{name}: p99 ({p99:.1f} ms) in parts of OpenBao's", p99 / p99_peer, 1 / 3))
    return figures
