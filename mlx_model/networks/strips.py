"""Convolutional networks by rows: a large picture in a fraction of the memory, with the same result.

:class:`Rows` is an activation that need not be there: its rows are computed from the rows of its source when they
are asked for, halo included. :meth:`Strips.stored` makes one real, strip by strip, and lets its source go as it
proceeds, so that an activation and its successor share about the memory of one. :meth:`Strips.normalized` gathers
GroupNorm's statistics over the whole picture, which is why the result has no seams. The whole-image computation is
the same code with a single strip that keeps everything.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mlx_model.runtime import mx, nn


def _nothing(_: int) -> None:
    return None


@dataclass(frozen=True, eq=False)
class Rows:
    """An activation (1, height, width, channels) by rows.

    ``read(start, stop)`` gives those rows; ``release(row)`` promises that no row before it is asked for again.
    """

    height: int
    width: int
    channels: int
    read: Callable[[int, int], mx.array]
    release: Callable[[int], None] = _nothing


def rows_of(x: mx.array) -> Rows:
    """Rows of an array that is there, (1, height, width, channels)."""
    return Rows(x.shape[1], x.shape[2], x.shape[3], lambda start, stop: x[:, start:stop])


def mapped(source: Rows, function: Callable[[mx.array], mx.array]) -> Rows:
    """Rows of a function of every pixel alone."""
    return Rows(
        source.height, source.width, source.channels,
        lambda start, stop: function(source.read(start, stop)), source.release,
    )  # fmt: skip


def upsampled(source: Rows) -> Rows:
    """Rows of ``source`` enlarged twice, nearest."""

    def read(start: int, stop: int) -> mx.array:
        x = mx.repeat(mx.repeat(source.read(start // 2, (stop + 1) // 2), 2, axis=1), 2, axis=2)
        return x[:, start % 2 : start % 2 + stop - start]

    return Rows(source.height * 2, source.width * 2, source.channels, read, lambda row: source.release(row // 2))


def residual(path: Rows, shortcut: Rows) -> Rows:
    """Rows of the sum of a path of at most two 3x3 convolutions and the shortcut around it."""

    def release(row: int) -> None:
        path.release(row)
        shortcut.release(row - 2)  # both may lead to the same activation, and the path looks two rows back

    return Rows(
        path.height, path.width, path.channels,
        lambda start, stop: path.read(start, stop) + shortcut.read(start, stop), release,
    )  # fmt: skip


@dataclass(frozen=True)
class Strips:
    """How a network is walked: ``rows`` at a time, keeping in-between results of at most ``keep`` numbers.

    ``on_strip`` is called after every convolution of a strip and may raise to stop the work.
    """

    rows: int
    keep: int
    on_strip: Callable[[], None]

    def convolved(self, source: Rows, conv: nn.Conv2d) -> Rows:
        """Rows of a convolution: 1x1, 3x3, or 3x3 at stride 2 (which is padded below and to the right only)."""
        channels, size = conv.weight.shape[:2]
        stride = conv.stride[0]
        before, after = (0, 1) if stride == 2 else (size // 2, size // 2)

        def read(start: int, stop: int) -> mx.array:
            top, bottom = start * stride - before, (stop - 1) * stride - before + size
            x = source.read(max(top, 0), min(bottom, source.height))
            if size > 1:
                above, below = max(-top, 0), max(bottom - source.height, 0)
                x = mx.pad(x, [(0, 0), (above, below), (before, after), (0, 0)])
            y = mx.conv2d(x, conv.weight, stride=stride) + conv.bias
            mx.eval(y)
            self.on_strip()
            return y

        return Rows(
            source.height // stride, source.width // stride, channels, read,
            lambda row: source.release(row * stride - before),
        )  # fmt: skip

    def normalized(self, source: Rows, norm: nn.GroupNorm) -> Rows:
        """Rows of GroupNorm with the statistics of the whole activation, in float32, gathered here and now."""
        count, mean, spread = 0, mx.zeros(norm.num_groups), mx.zeros(norm.num_groups)
        for start, stop in self._spans(source.height):
            part, (part_mean, part_variance) = stop - start, _moments(source.read(start, stop), norm.num_groups)
            offset = part_mean - mean
            mean = mean + offset * (part / (count + part))
            spread = spread + part * part_variance + mx.square(offset) * (count * part / (count + part))
            count += part
            mx.eval(mean, spread)
        repeat = norm.dims // norm.num_groups
        scale = mx.repeat(mx.rsqrt(spread / count + norm.eps), repeat) * norm.weight
        shift = norm.bias - mx.repeat(mean, repeat) * scale
        return mapped(source, lambda x: x * scale.astype(x.dtype) + shift.astype(x.dtype))

    def stored(self, source: Rows) -> Rows:
        """Compute the rows now and keep them; nobody else may need the source, which is released on the way."""
        return self._store(source, source.release)

    def _store(self, source: Rows, release_source: Callable[[int], None]) -> Rows:
        strips: dict[tuple[int, int], mx.array] = {}
        for start, stop in self._spans(source.height):
            strips[start, stop] = source.read(start, stop)
            mx.eval(strips[start, stop])
            release_source(stop)

        def read(start: int, stop: int) -> mx.array:
            parts = [x[:, max(start - a, 0) : stop - a] for (a, b), x in strips.items() if a < stop and start < b]
            return parts[0] if len(parts) == 1 else mx.concatenate(parts, axis=1)

        def release(row: int) -> None:
            for span in [span for span in strips if span[1] <= row]:
                del strips[span]

        return Rows(source.height, source.width, source.channels, read, release)

    def kept(self, source: Rows) -> Rows:
        """Keep the rows if they are few enough, otherwise only remember the last ones read."""
        if source.height * source.width * source.channels <= self.keep:
            return self._store(source, _nothing)
        last: list[tuple[int, int, mx.array]] = []

        def read(start: int, stop: int) -> mx.array:
            if not (last and last[0][0] <= start and stop <= last[0][1]):
                last.clear()
                last.append((start, stop, source.read(start, stop)))
            first, _, x = last[0]
            return x[:, start - first : stop - first]

        return Rows(source.height, source.width, source.channels, read, source.release)

    def _spans(self, height: int) -> list[tuple[int, int]]:
        return [(start, min(start + self.rows, height)) for start in range(0, height, self.rows)]


def _moments(x: mx.array, groups: int) -> tuple[mx.array, mx.array]:
    # Columns are averaged before rows: one float32 sum over millions of pixels would lose digits.
    _, height, width, channels = x.shape
    grouped = x.astype(mx.float32).reshape(height, width, groups, channels // groups)
    mean = mx.mean(mx.mean(grouped, axis=(1, 3)), axis=0)
    square = mx.square(grouped - mean[:, None])
    return mean, mx.mean(mx.mean(square, axis=(1, 3)), axis=0)
