"""Commands that go down one connection of a client, and which server got them.

WAIT and WAITAOF speak of the writes of their own connection only. redis-py's pipeline keeps to one, too, but gives it
back before anybody can ask where it led.
"""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

Address = tuple[str, int]
Command = Sequence[Any]


def exchange(client: Any, commands: Sequence[Command]) -> tuple[list[Any], Address | None]:
    """Return the reply to each command, which may be an error, and the server; None for a socket of this machine.

    Sent again, all of them, if the connection fails, as redis-py does it.
    """
    pool = client.connection_pool
    connection = pool.get_connection()
    try:
        packed = connection.pack_commands(commands)
        replies = connection.retry.call_with_retry(
            lambda: _send(connection, packed, len(commands)), lambda _: connection.disconnect()
        )
    except BaseException:
        connection.disconnect()  # replies that nobody has read would be taken for those of the next command
        raise
    else:
        host = getattr(connection, "host", None)
        return replies, (host, connection.port) if host else None
    finally:
        pool.release(connection)


def _send(connection: Any, packed: Any, number: int) -> list[Any]:
    connection.send_packed_command(packed)
    return [_reply(connection) for _ in range(number)]


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
