import ssl

import pytest
from kombu.exceptions import OperationalError
from redis import exceptions
from redis.sentinel import MasterNotFoundError

from actorline.ledger.faults import describe_fault, is_tls_fault
from actorline.redis_connection.primary import NotInService


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (exceptions.AuthenticationError("invalid username-password pair"), "rejects the password"),
        (exceptions.BusyLoadingError("LOADING Redis is loading the dataset in memory"), "still loading"),
        (exceptions.ReadOnlyError("You can't write against a read only replica."), "the primary's address"),
        (exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "raise its maxmemory"),
        (
            exceptions.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
            "free some space",
        ),
        (
            MasterNotFoundError("No master found for 'canary' : Redis<host=canary>"),
            "check master= and sentinel_password=",
        ),
        (exceptions.ResponseError("DB index is out of range"), "a Redis Cluster, which isn't supported"),
        (NotInService("NOREPLICAS Not enough good replicas to write."), "too few replicas"),
        (exceptions.TimeoutError("Timeout reading from redis://:canary@host:6379"), "in time"),
        (exceptions.ConnectionError("Error 111 connecting to canary:6379. Connection refused."), "no connection"),
        (exceptions.ConnectionError("Error while reading from canary:6379 : (104, 'Connection reset by peer')"), "TLS"),
        (exceptions.ConnectionError("Connection closed by server."), "for TLS, begin the address with rediss://"),
    ],
)
def test_a_fault_says_what_to_fix_and_shows_no_address(fault, words):
    assert words in describe_fault(fault)
    assert "canary" not in describe_fault(fault)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ssl.SSLCertVerificationError(1, "x"), "its certificate is not trusted (self-signed certificate)"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "it may want a certificate of the client's own"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "does not speak TLS on that port"),
    ],
)
def test_a_fault_of_tls_is_no_lost_connection(cause, words):
    if isinstance(cause, ssl.SSLCertVerificationError):
        cause.verify_message, cause.verify_code = "self-signed certificate", 18
    fault = exceptions.ConnectionError("Error 1 connecting to canary:6379.")
    fault.__cause__ = cause
    assert words in describe_fault(fault)
    assert is_tls_fault(fault)
    assert not is_tls_fault(exceptions.ConnectionError("Connection refused"))


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        (9, "it is for later: compare this machine's clock"),
        (10, "renew it, or compare this machine's clock"),
        (20, "name its CA in the address: ?ssl_ca_certs=/path/ca.pem"),
        (62, "write the host in the address as the certificate names it"),
        (64, "write the host in the address as the certificate names it"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_told_with_its_cure(code, cure):
    fault = ssl.SSLCertVerificationError(1, "x")
    fault.verify_code, fault.verify_message = code, "Hostname mismatch, certificate is not valid for 'localhost'."
    assert describe_fault(fault).endswith(cure)
    assert ("ssl_ca_certs" in describe_fault(fault)) is ("ssl_ca_certs" in cure)


def test_a_server_that_wants_a_certificate_says_so():
    alert = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
    fault = exceptions.ConnectionError("Error while reading from canary:6379")
    fault.__cause__ = alert
    assert "wants a certificate of the client's own" in describe_fault(fault)


@pytest.mark.parametrize("wrapper", [RuntimeError, OperationalError])
def test_a_fault_that_celery_has_wrapped_is_told_as_what_it_was(wrapper):
    fault = wrapper("Retry limit exceeded while trying to reconnect")
    fault.__cause__ = exceptions.AuthenticationError("invalid username-password pair")
    assert describe_fault(fault) == "it rejects the password, or wants one"
    assert describe_fault(wrapper("Retry limit exceeded")) == "no connection"


def test_an_unforeseen_fault_is_shown_in_the_servers_words():
    assert describe_fault(exceptions.ResponseError("ERR " + "x" * 1000)) == "ERR " + "x" * 196
