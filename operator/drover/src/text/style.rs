//! Colour, where there is some, and the width of a line.

use std::fmt::Display;

use anstyle::{AnsiColor, Style as Ansi};

/// How something is to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// As text.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Notable,
    /// Not as it should be.
    Bad,
}

/// How text is to look. Everything reads the same without colour.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    color: bool,
    width: usize,
}

impl Style {
    /// With or without colour, in lines of so many columns.
    pub fn new(color: bool, width: usize) -> Self {
        Self { color, width }
    }

    /// The same without colour.
    pub fn plain(self) -> Self {
        Self {
            color: false,
            ..self
        }
    }

    /// Whether there is colour.
    pub fn color(self) -> bool {
        self.color
    }

    /// Columns of a line.
    pub fn width(self) -> usize {
        self.width
    }

    /// What is read first.
    pub fn strong(self, text: impl Display) -> String {
        self.painted(Ansi::new().bold(), text)
    }

    /// What may be passed over.
    pub fn faint(self, text: impl Display) -> String {
        self.painted(Ansi::new().dimmed(), text)
    }

    /// What is as it should be.
    pub fn good(self, text: impl Display) -> String {
        self.painted(AnsiColor::Green.on_default(), text)
    }

    /// What somebody should look at.
    pub fn notable(self, text: impl Display) -> String {
        self.painted(AnsiColor::Yellow.on_default().bold(), text)
    }

    /// What is not as it should be.
    pub fn bad(self, text: impl Display) -> String {
        self.painted(AnsiColor::Red.on_default().bold(), text)
    }

    /// The one or the other of these.
    pub fn in_mood(self, mood: Mood, text: impl Display) -> String {
        match mood {
            Mood::Plain => text.to_string(),
            Mood::Good => self.good(text),
            Mood::Notable => self.notable(text),
            Mood::Bad => self.bad(text),
        }
    }

    /// Help and complaints of the parser.
    pub fn of_clap(self, text: &clap::builder::StyledStr) -> String {
        if self.color {
            text.ansi().to_string()
        } else {
            text.to_string()
        }
    }

    fn painted(self, style: Ansi, text: impl Display) -> String {
        if self.color {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }
}
