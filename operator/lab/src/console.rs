//! What a guest said on its serial console: see `guest/init`.

use std::{fs, io, path::Path};

/// What a guest said, since it was defined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Console {
    /// Each time it started, oldest first.
    pub boots: Vec<Boot>,
}

/// What a guest said from one start to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    /// The last count that it found on its disks.
    pub last: u64,
    /// How many counts are missing before that one: what was acknowledged and is gone.
    pub gaps: u64,
    /// The last count on each of its disks. They differ by one where power went between them.
    pub disks: Vec<u64>,
    /// The last count that it said is durable.
    pub heartbeat: Option<u64>,
    /// The last count before it shut down, once it has.
    pub stopped: Option<u64>,
    /// What it could not do.
    pub failure: Option<String>,
}

impl Console {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(text) => Ok(Self::of(&String::from_utf8_lossy(&text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// The last count that it said is durable, in whichever boot.
    pub fn heartbeat(&self) -> Option<u64> {
        self.boots.iter().rev().find_map(|boot| boot.heartbeat)
    }

    /// The last boot.
    pub fn boot(&self) -> Option<&Boot> {
        self.boots.last()
    }

    fn of(text: &str) -> Self {
        let mut this = Self::default();
        // A line that is not whole, as of a guest that was killed while it spoke, says nothing.
        for line in text.split_inclusive('\n') {
            if let Some(line) = line.strip_suffix('\n') {
                this.hear(line.trim());
            }
        }
        this
    }

    pub(super) fn hear(&mut self, line: &str) {
        // A kernel that complains does not wait for the end of a line, and who was killed while it spoke leaves
        // the beginning of one: what was said last counts.
        let begun = ["RESUME last=", "HB ", "STOPPED last=", "FAILED "];
        let begun = begun.iter().filter_map(|begun| line.rfind(begun)).max();
        let line = &line[begun.unwrap_or(0)..];
        let Some((word, rest)) = line.split_once(' ') else {
            return;
        };
        if word == "RESUME" {
            self.boots.extend(resume(rest));
            return;
        }
        // A guest that cannot even mount its disks does not get as far as to resume.
        if word == "FAILED" && rest.starts_with("mount") {
            self.boots.push(Boot::default());
        }
        let Some(boot) = self.boots.last_mut() else {
            return;
        };
        match word {
            "HB" => boot.heartbeat = rest.parse().ok().or(boot.heartbeat),
            "STOPPED" => boot.stopped = field(rest, "last").and_then(|last| last.parse().ok()),
            "FAILED" => boot.failure = Some(rest.to_owned()),
            _ => {}
        }
    }
}

fn resume(line: &str) -> Option<Boot> {
    let disks = field(line, "disks")?.split(',');
    Some(Boot {
        last: field(line, "last")?.parse().ok()?,
        gaps: field(line, "gaps")?.parse().ok()?,
        disks: disks.filter_map(|count| count.parse().ok()).collect(),
        ..Boot::default()
    })
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ')
        .filter_map(|word| word.split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_of_the_kernel_in_front_of_a_line_hides_nothing() {
        let console = Console::of(
            "RESUME last=0 gaps=0 disks=0\r\nHB 1\r\n[   12.3] rcu: a stall on 0RESUME last=1 gaps=0 disks=1\r\n\
             [   12.4] clocksource: HB 2\r\n",
        );
        assert_eq!(console.boots.len(), 2);
        assert_eq!(console.heartbeat(), Some(2));
    }

    #[test]
    fn what_a_killed_guest_did_not_say_to_its_end_hides_not_the_next_boot() {
        let console = Console::of(
            "RESUME last=0 gaps=0 disks=0\r\nHB 1\r\nHB 2RESUME last=1 gaps=0 disks=1\r\nHB 2\r\n\
             STOPPED last=RESUME last=2 gaps=0 disks=2\r\n",
        );
        let last: Vec<_> = console.boots.iter().map(|boot| boot.last).collect();
        assert_eq!(last, [0, 1, 2]);
        assert_eq!(console.heartbeat(), Some(2));
    }

    #[test]
    fn hears_boots_counts_and_ends() {
        let console = Console::of(
            "BIOS\r\nRESUME last=0 gaps=0 disks=0,0\r\nHB 1\r\nHB 2\r\nSTOPPED last=2\r\n\
             RESUME last=2 gaps=1 disks=2,1\r\nHB 3\r\nHB 4",
        );
        assert_eq!(console.boots.len(), 2);
        assert_eq!(console.boots[0].stopped, Some(2));
        let boot = console.boot().unwrap();
        assert_eq!((boot.last, boot.gaps, &boot.disks[..]), (2, 1, &[2, 1][..]));
        assert_eq!(console.heartbeat(), Some(3), "the last line is not whole");
    }

    #[test]
    fn a_guest_that_cannot_mount_has_failed() {
        let console = Console::of("FAILED mount /dev/vda\n");
        assert_eq!(
            console.boot().unwrap().failure.as_deref(),
            Some("mount /dev/vda")
        );
    }
}
