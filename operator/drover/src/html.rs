//! Pages for a browser and for paper: one file each, with everything in it. Nothing is fetched and
//! nothing is run.

use std::fmt::Write as _;

use crate::text::xml;

/// A whole page. The title is text, and so is what stands at the foot of each sheet of paper; the body
/// is HTML.
pub fn document(title: &str, foot: &str, body: &str) -> String {
    let style = include_str!("html.css");
    let (name, foot) = (quoted(title), quoted(foot));
    let title = xml(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{style}\
         @page {{ @top-left {{ content: {name}; }} @bottom-left {{ content: {foot}; }} }}\n</style>\n\
         </head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// Text as a string of CSS inside of HTML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for each in text.chars() {
        match each {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '-' | '.' | ',' | ':' | '/' => {
                quoted.push(each);
            }
            // A blank ends the number.
            _ => {
                let _ = write!(quoted, "\\{:x} ", u32::from(each));
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_cannot_become_markup_or_style() {
        // SPEC: BI-1
        let page = document("<b>\"&'", "</style>\"\\}", "");
        assert!(page.contains("<title>&lt;b&gt;&quot;&amp;&#39;</title>"));
        assert!(
            page.contains(r#"content: "\3c b\3e \22 \26 \27 ";"#),
            "{page}"
        );
        assert_eq!(page.matches("</style>").count(), 1, "{page}");
    }

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        // SPEC: RD-5
        let page = document("a", "b", "");
        for fetched in ["<script", "<link", "<img", "@import", "url(", "http"] {
            assert!(!page.contains(fetched), "{fetched}");
        }
    }
}
