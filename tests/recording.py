"""Makes a moving picture of the frames that tests/screens took: an SVG that any browser plays without a script.

Each file is a frame. Its first line says how many seconds it is shown, where the cursor is, and how large the screen is;
the rest is the screen, as `tmux capture-pane -e` writes it. A line that stays the same from frame to frame is drawn once,
and CSS shows it for as long as it stands there.
"""

import re
import sys
from html import escape

WIDTH, HEIGHT, PADDING, BAR = 8.43, 18, 20, 12  # of a cell, around the screen, and above it
COLOURS = {"1": "b", "2": "f", "31": "r", "32": "g", "33": "y", "36": "c"}
STYLE = """
rect{fill:#15191f;stroke:#3a424d}
circle{fill:#3a424d}
text{font:14px "DejaVu Sans Mono",Menlo,Consolas,ui-monospace,monospace;fill:#d6dbe1;white-space:pre;visibility:hidden}
text,#cursor{animation:%ss step-end infinite}
.b{font-weight:bold;fill:#fff}.f{fill:#8592a3}.r{fill:#f0837a}.g{fill:#4cc38a}.y{fill:#e0b050}.c{fill:#6cb6ff}
.last{visibility:visible}
#cursor{fill:#d6dbe1;fill-opacity:.6;stroke:none;animation-name:cursor}
@media(prefers-reduced-motion:reduce){text,#cursor{animation:none}}
"""


def spans(line):
    """The parts of a line: column, text, class."""
    column, style, parts = 0, "", []
    for text, codes in re.findall(r"([^\x1b]+)|\x1b\[([\d;]*)m", line):
        if not text:
            for code in codes.split(";"):
                style = COLOURS.get(code, style) if code not in ("", "0", "22", "39") else ""
            continue
        # Spaces are left out where they are wide, and so no font can move what stands behind them.
        for word in re.finditer(r"\S+( \S+)*", text):
            parts.append((column + word.start(), word.group(), style))
        column += len(text)
    return parts


def text(name, row, line, last):
    """A line as SVG."""
    inner = "".join(
        f'<tspan x="{PADDING + column * WIDTH:.1f}" textLength="{len(part) * WIDTH:.1f}"'
        f'{f" class={chr(34)}{style}{chr(34)}" if style else ""}>{escape(part, quote=False)}</tspan>'
        for column, part, style in spans(line)
    )
    y = BAR + PADDING + row * HEIGHT
    return f'<text id="{name}" y="{y}"{" class=" + chr(34) + "last" + chr(34) if last else ""}>{inner}</text>'


def main(files):
    """Prints the picture."""
    frames, now = [], 0.0
    for file in files:
        head, *lines = open(file, encoding="utf-8").read().split("\n")
        seconds, x, y, columns, rows = head.split()
        frames.append((now, int(x), int(y), lines + [""] * int(rows)))
        now += float(seconds)
    total, columns, rows = now, int(columns), int(rows)
    percent = lambda time: f"{time / total * 100:.2f}".rstrip("0").rstrip(".") + "%"
    texts, rules = [], [STYLE % round(total, 2)]
    for row in range(rows):
        since, shown = 0.0, ""
        for time, _, _, lines in [*frames, (total, 0, 0, None)]:
            line = lines[row] if lines else None
            if line == shown:
                continue
            if shown and spans(shown):
                name = f"l{len(texts)}"
                texts.append(text(name, row, shown, last=lines is None))
                steps = ["0%{visibility:hidden}"] * (since > 0) + [percent(since) + "{visibility:visible}"]
                steps += [percent(time) + "{visibility:hidden}"] * (lines is not None)
                rules.append(f"#{name}{{animation-name:{name}}}@keyframes {name}{{{''.join(steps)}}}\n")
            since, shown = time, line
    moves = [f"translate({x * WIDTH:.1f}px,{y * HEIGHT}px)" for _, x, y, _ in frames]
    steps = [f"{percent(frame[0])}{{transform:{move}}}" for frame, move in zip(frames, moves)]
    rules.append(f"#cursor{{transform:{moves[-1]}}}@keyframes cursor{{{''.join(steps)}}}\n")
    width, height = round(columns * WIDTH + 2 * PADDING), BAR + rows * HEIGHT + PADDING
    dots = "".join(f'<circle cx="{PADDING + 4 + n * 18}" cy="19" r="5"/>' for n in range(3))
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
        f"<title>seo-auth: sign in, look at the accounts, run a script with the token</title>\n<style>{''.join(rules)}</style>\n"
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>{dots}\n'
        + "\n".join(texts)
        + f'\n<rect id="cursor" x="{PADDING}" y="{BAR + PADDING - 14}" width="{WIDTH}" height="{HEIGHT}"/>\n</svg>'
    )


main(sys.argv[1:])
