//! Pages for a browser: one file each, with everything in it, which also print well.

/// Text that means nothing else in HTML.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A whole page. The title is text, the body is HTML.
pub fn document(title: &str, body: &str) -> String {
    let title = escaped(title);
    let style = include_str!("html.css");
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{style}</style></head>\n<body><main>{body}</main></body></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_cannot_become_markup() {
        // SPEC: BI-1
        let page = document("<b>\"&'", "");
        assert!(page.contains("<title>&lt;b&gt;&quot;&amp;&#39;</title>"));
    }
}
