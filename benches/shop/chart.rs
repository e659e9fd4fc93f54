//! The chart: for each rate that has a limit, a bar as long as its ratio to it. Everything that a colour says stands
//! there in words, too.

use std::fmt::Write;

use crate::figures::{Figures, LIMIT, short};

/// Width of the chart.
const WIDTH: f64 = 1_000.0;
/// Where bars begin, and how long one of the greatest ratio is.
const LEFT: f64 = 450.0;
const LENGTH: f64 = 360.0;
/// Height of a bar with the space below it.
const ROW: f64 = 42.0;
const TOP: f64 = 64.0;
/// The ratios at both ends of the scale, which is logarithmic.
const SMALLEST: f64 = 0.01;
const GREATEST: f64 = 100.0;
/// Length of a line of the notes, in characters.
const NOTE: usize = 130;

/// Draws the chart.
pub fn draw(medians: &Figures, notes: &[String]) -> String {
    let bars: Vec<(String, String, f64, bool)> = medians
        .iter()
        .filter(|figure| figure.unit.ends_with("/s"))
        .filter_map(|figure| {
            let ratio = medians.ratio(figure)?;
            let (place, work) = figure.beside?;
            let label = format!("{}: {}", figure.database, figure.work);
            let kind = if place == LIMIT { "" } else { "own: " };
            let value = format!("{} x of {kind}{work} ({} {})", short(ratio), short(figure.value), figure.unit);
            Some((label, value, ratio, place == LIMIT))
        })
        .collect();
    let notes: Vec<String> = notes.iter().flat_map(|note| wrapped(note)).collect();
    let rows = u32::try_from(bars.len()).map_or(0.0, f64::from);
    let lines = u32::try_from(notes.len()).map_or(0.0, f64::from);
    let bottom = rows.mul_add(ROW, TOP);
    let height = lines.mul_add(16.0, bottom + 40.0);
    let mut svg = head(height, bottom);
    let mut y = TOP;
    for (label, value, ratio, is_limit) in &bars {
        let end = position(*ratio);
        let pattern = if *is_limit { "#3b6ea5" } else { "url(#own)" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\n<rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{:.1}\" height=\"14\" \
             fill=\"{pattern}\" stroke=\"#222\"/>\n<text x=\"{:.0}\" y=\"{:.0}\" class=\"small\">{}</text>",
            LEFT - 8.0,
            y + 12.0,
            escaped(label),
            y,
            (end - LEFT).max(1.0),
            LEFT + 4.0,
            y + 28.0,
            escaped(value),
        );
        y += ROW;
    }
    let mut y = bottom + 34.0;
    for note in &notes {
        let _ = writeln!(svg, "<text x=\"16\" y=\"{y:.0}\" class=\"small\">{}</text>", escaped(note));
        y += 16.0;
    }
    svg + "</svg>\n"
}

/// The title, the scale and the line at 1.
fn head(height: f64, bottom: f64) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-labelledby=\"title\">\n\
         <title id=\"title\">Rates of Onhand as ratios to the limits of the same run</title>\n\
         <style>text {{ font: 13px sans-serif; fill: #222 }} .small {{ font-size: 11px; paint-order: stroke; stroke: #fff; stroke-width: 3px }} .title {{ font-size: 17px }}</style>\n\
         <defs><pattern id=\"own\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"#fff\"/>\
         <path d=\"M0 6L6 0\" stroke=\"#222\"/></pattern></defs>\n\
         <rect width=\"{WIDTH}\" height=\"{height:.0}\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"28\" class=\"title\">Rates as ratios to the limits of the same run (logarithmic; hatched: to another rate of Onhand)</text>\n"
    );
    for ratio in [0.01, 0.1, 1.0, 10.0, 100.0] {
        let x = position(ratio);
        let width = if ratio > 0.5 && ratio < 2.0 { 2 } else { 1 };
        let dashes = if width == 2 { "none" } else { "2 4" };
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.0} {:.0}V{bottom:.0}\" stroke=\"#222\" stroke-width=\"{width}\" stroke-dasharray=\"{dashes}\"/>\n\
             <text x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"middle\" class=\"small\">{ratio} x</text>",
            TOP - 8.0,
            TOP - 12.0,
        );
    }
    svg
}

/// Where a ratio is on the scale.
fn position(ratio: f64) -> f64 {
    let part = (ratio.clamp(SMALLEST, GREATEST) / SMALLEST).ln() / (GREATEST / SMALLEST).ln();
    part.mul_add(LENGTH, LEFT)
}

fn wrapped(note: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in note.split(' ') {
        if let Some(line) = lines.last_mut().filter(|line| line.len() + word.len() < NOTE) {
            line.push_str(word);
            line.push(' ');
        } else {
            lines.push(format!("{word} "));
        }
    }
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
