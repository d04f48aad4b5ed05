"""Which ratings are valid: numbers on a scale, in steps. A scale judges, it never rescales."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from feedback_app.errors import UsageError
from feedback_app.intake.shown import INT_BITS, shown

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_LONGEST = 20  # characters of a rating: so all digits fit into Decimal's 28, and no file fills the memory
_FARTHEST = 1_000_000  # bound of a scale
_FINEST = Decimal("0.001")  # step of a scale
_REMEMBERED = 1000  # distinct values; files have a handful, an attacker's file must not fill the memory


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """From `minimum` to `maximum`, both included, by `step`. Raises UsageError when that makes no scale."""

    minimum: float = 1
    maximum: float = 5
    step: float = 1
    _judged: dict[object, float | str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        low, high, step = _exact(self.minimum), _exact(self.maximum), _exact(self.step)
        if not all(bound.is_finite() and abs(bound) <= _FARTHEST for bound in (low, high, step)):
            raise UsageError("a scale is made of numbers up to 1,000,000, such as 1..5 or 0.5..5/0.5")
        if low >= high:
            raise UsageError(f"a scale rises: {_plain(low)}..{_plain(high)} does not")
        if step < _FINEST:
            raise UsageError(f"the step of a scale is at least {_FINEST}, not {_plain(step)}")
        if (high - low) % step:
            raise UsageError(
                f"{_plain(high)} cannot be reached from {_plain(low)} in steps of {_plain(step)}"
            )

    @classmethod
    def from_text(cls, text: str) -> Scale:
        """Read `MIN..MAX` or `MIN..MAX/STEP`, such as "0.5..5/0.5", as `--scale` has it. Raises UsageError."""
        bounds, slash, step = text.partition("/")
        low, _, high = bounds.partition("..")
        numbers = [part.strip() for part in (low, high, step if slash else "1")]
        if not all(len(number) <= _LONGEST and _NUMBER.fullmatch(number) for number in numbers):
            raise UsageError(
                f"--scale {shown(text)}: MIN..MAX or MIN..MAX/STEP is wanted, such as 1..5 or 0.5..5/0.5"
            )
        try:
            return cls(minimum=float(numbers[0]), maximum=float(numbers[1]), step=float(numbers[2]))
        except UsageError as problem:
            raise UsageError(f"--scale {shown(text)}: {problem}") from None

    def __str__(self) -> str:
        low, high, step = (_plain(_exact(bound)) for bound in (self.minimum, self.maximum, self.step))
        if step == "1" and "." not in low:
            return f"a whole number from {low} to {high}"
        return f"a number from {low} to {high} in steps of {step}"

    def parse(self, value: object) -> float:
        """Return the rating that `value` is: 5, 5.0, "5" and " 5.0 " are the same. Raises ValueError."""
        kind = type(value)
        # True equals 1, so other types must not be looked up.
        if kind is not str and kind is not float and kind is not int:
            raise ValueError(self._judge(value))
        verdict = self._judged.get(value)
        if verdict is None:
            verdict = self._judge(value)
            if len(self._judged) < _REMEMBERED and (not isinstance(value, str) or len(value) <= _LONGEST):
                self._judged[value] = verdict
        if type(verdict) is float:
            return verdict
        raise ValueError(verdict)

    def _judge(self, value: object) -> float | str:
        """Return the rating, or the sentence that refuses it."""
        text = value.strip(" \t") if isinstance(value, str) else _number_text(value)
        if text == "":
            return "rating is missing"
        if len(text) <= _LONGEST and _NUMBER.fullmatch(text):
            number, low = Decimal(text), _exact(self.minimum)
            if low <= number <= _exact(self.maximum) and (number - low) % _exact(self.step) == 0:
                return float(number) + 0.0  # never -0.0
        return f"rating must be {self}, got {shown(value)}{_hint(text)}"


def _number_text(value: object) -> str:
    if value is None:
        return ""
    if type(value) is float or (type(value) is int and value.bit_length() <= INT_BITS):
        return repr(value)  # the shortest digits: 4.1 is 4.1, not 4.0999…
    return "no number"


def _hint(text: str) -> str:
    if "," in text and _NUMBER.fullmatch(text.replace(",", ".", 1)):
        return " (use a point, not a comma)"
    if not text.isascii() and any(char.isdecimal() for char in text):
        return " (use the digits 0 to 9)"
    return ""


def _exact(bound: float) -> Decimal:
    try:
        return Decimal(str(bound))
    except InvalidOperation:
        return Decimal("NaN")


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
