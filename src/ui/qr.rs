//! An address as a QR code of half-block characters, for the camera of another screen.

use anstyle::{Ansi256Color, Style};
use qrcode::{Color, EcLevel, QrCode};

/// The quiet zone that the standard asks for (ISO/IEC 18004 §9.1), in modules.
const QUIET: usize = 4;
/// Black and white of the fixed part of the palette: the first sixteen colours are the theme's, light or dark.
const INK: Style = Style::new()
    .fg_color(Some(anstyle::Color::Ansi256(Ansi256Color(231))))
    .bg_color(Some(anstyle::Color::Ansi256(Ansi256Color(16))));

#[derive(Clone, Debug)]
pub struct Drawing {
    /// One line for two rows of modules, with colours.
    pub lines: Vec<String>,
    pub width: usize,
}

impl Drawing {
    /// Whether it can be seen whole, with `more` lines around it.
    pub fn fits(&self, (columns, rows): (usize, usize), more: usize) -> bool {
        self.width <= columns && self.lines.len() + more <= rows
    }
}

/// Draws the text; `None` where it is too long for any code. A block is a light module: where colours are off, that is
/// right on a dark terminal, and most cameras read the negative too.
pub fn draw(text: &str) -> Option<Drawing> {
    // The lowest level: a screen has no stains, and a small code fits more terminals.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let modules = code.width();
    let width = modules + 2 * QUIET;
    let colors = code.to_colors();
    let is_light = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < modules);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => colors[y * modules + x] == Color::Light,
            _ => true,
        }
    };
    let block = |x, y| match (is_light(x, y), is_light(x, y + 1)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    let line = |y| {
        let blocks: String = (0..width).map(|x| block(x, y)).collect();
        format!("{INK}{blocks}{INK:#}")
    };
    Some(Drawing {
        lines: (0..width).step_by(2).map(line).collect(),
        width,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_stands_in_a_quiet_zone() {
        let drawing = draw("https://example.com/?code=AVZV-MSPD").unwrap();
        assert_eq!(drawing.width, 29 + 8);
        assert_eq!(drawing.lines.len(), 19);
        let plain = |line: &str| anstream::adapter::strip_str(line).to_string();
        let lines: Vec<String> = drawing.lines.iter().map(|line| plain(line)).collect();
        assert!(lines[..2].iter().all(|line| *line == "█".repeat(37)));
        // The upper left and right finder patterns: seven dark modules above a light gap.
        assert!(lines[2].starts_with("████ ▄▄▄▄▄ █") && lines[2].ends_with("█ ▄▄▄▄▄ ████"));
    }

    #[test]
    fn what_no_code_can_hold_is_not_drawn() {
        assert!(draw(&"x".repeat(3_000)).is_none());
    }

    #[test]
    fn it_fits_with_all_its_columns_and_the_text_around_it() {
        let drawing = Drawing {
            lines: vec![String::new(); 19],
            width: 37,
        };
        assert!(drawing.fits((37, 29), 10));
        assert!(!drawing.fits((36, 29), 10));
        assert!(!drawing.fits((37, 28), 10));
    }
}
