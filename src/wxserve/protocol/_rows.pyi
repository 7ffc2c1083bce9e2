from typing import Any, TypeVar, final

from .rows import Layout

_R = TypeVar("_R", bound=tuple[Any, ...])

@final
class Shape:
    def __init__(self, layout: Layout, /) -> None: ...
    def read(self, data: bytes | bytearray, /) -> Any: ...  # noqa: ANN401 - of the class that was asked for

@final
class Table:
    def __init__(
        self, received: type[tuple[Any, ...]], frames: dict[int, tuple[Shape, int, bool | None]], /
    ) -> None: ...
    def take(self, buffer: bytes | bytearray, offset: int, /) -> Any: ...  # noqa: ANN401 - of the class that was asked for

def frame(
    row: tuple[Any, ...], number: int, stream: int, flags: int, body_bytes_max: int, /
) -> bytes | None: ...
def make(row_class: type[_R], /, *values: object) -> _R: ...
