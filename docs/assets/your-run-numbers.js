// The page "Your run": numbers as Python has them. A mean and a standard deviation are worked out
// exactly and rounded once, as its statistics module does, and a tie is written to the even digit.
"use strict";

(() => {
  const UNIT = 1074n; // every double is a whole number of 2^-1074
  const view = new DataView(new ArrayBuffer(8));

  // A double as a whole number of 2^-1074.
  function exact(value) {
    view.setFloat64(0, value);
    const bits = view.getBigUint64(0);
    const exponent = (bits >> 52n) & 0x7ffn;
    const fraction = bits & 0xfffffffffffffn;
    const size = exponent ? (fraction | 0x10000000000000n) << (exponent - 1n) : fraction;
    return bits >> 63n ? -size : size;
  }

  const bits = (number) => number.toString(16).length * 4;

  // top / bottom with 64 bits or more, the last of which tells that something is left over: the
  // conversion to a double then rounds rightly.
  function quotient(top, bottom, even) {
    let shift = BigInt(bits(bottom) - bits(top) + 136);
    if (even && shift % 2n) shift += 1n;
    if (shift >= 0n) top <<= shift;
    else bottom <<= -shift;
    const whole = top / bottom;
    return [whole, whole * bottom !== top, shift];
  }

  function ratio(top, bottom) {
    if (top === 0n) return 0;
    if (top < 0n) return -ratio(-top, bottom);
    const [whole, left, shift] = quotient(top, bottom, false);
    return Number((whole << 1n) | BigInt(left)) * 2 ** -Number(shift + 1n);
  }

  function root(top, bottom) {
    if (top === 0n) return 0;
    const [whole, left, shift] = quotient(top, bottom, true);
    let found = 1n << BigInt(Math.ceil(bits(whole) / 2));
    for (let next = found; ; ) { // Newton's, from above
      next = (found + whole / found) >> 1n;
      if (next >= found) break;
      found = next;
    }
    const inexact = left || found * found !== whole;
    return Number((found << 1n) | BigInt(inexact)) * 2 ** -Number(shift / 2n + 1n);
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0n);

  function mean(values) {
    return ratio(sum(values.map(exact)), BigInt(values.length) << UNIT);
  }

  function stdev(values) {
    const all = values.map(exact);
    const count = BigInt(all.length);
    const total = sum(all);
    return root(count * sum(all.map((value) => value * value)) - total * total,
      (count * (count - 1n)) << (2n * UNIT));
  }

  // f"{value:.{digits}f}"; with grouped, f"{value:,.{digits}f}".
  function fixed(value, digits, grouped = false) {
    const size = exact(Math.abs(value)) * 10n ** BigInt(digits);
    const one = 1n << UNIT;
    let whole = size / one;
    const rest = 2n * (size % one);
    if (rest > one || (rest === one && whole % 2n)) whole += 1n;
    const text = whole.toString().padStart(digits + 1, "0");
    const head = text.slice(0, text.length - digits);
    return (value < 0 || Object.is(value, -0) ? "-" : "")
      + (grouped ? head.replace(/\B(?=(\d{3})+$)/g, ",") : head)
      + (digits ? `.${text.slice(-digits)}` : "");
  }

  // f"{value:g}"; with grouped, f"{value:,g}".
  function general(value, grouped = false) {
    const [digits, exponent] = value.toExponential(5).split("e");
    const power = Number(exponent);
    const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
    if (power >= -4 && power < 6) {
      const [head, ...tail] = trimmed(value.toFixed(5 - power)).split(".");
      return [grouped ? head.replace(/\B(?=(\d{3})+$)/g, ",") : head, ...tail].join(".");
    }
    return `${trimmed(digits)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }

  // f"{value:+.1f}", with the sign that a reader expects.
  const signed = (value) => (value < 0 || Object.is(value, -0)
    ? fixed(value, 1).replace("-", "−") : `+${fixed(value, 1)}`);

  window.lineageLab = Object.assign(window.lineageLab ?? {}, {
    numbers: { mean, stdev, fixed, general, signed },
  });
})();
