//! Files of other people that are no YAML: the templates of a chart, a half-written file, a picture.
//!
//! Whoever names a folder or a revision does not say that all of it is Drover's. What was come upon there and cannot
//! be read is ours only where it says so; the rest is counted.

use std::collections::{BTreeSet, HashMap};

use drover_api::Object;
use drover_manifest::{Diagnostic, Loaded, code};

use crate::files::File;

/// What stands in every manifest of ours: the end of our group in `apiVersion`.
const OURS: &[u8] = b"drover.dev/";

/// Takes out what is said of such files, and returns how many they are. `twins` are the files of the other side of a
/// change: one that was ours does not become somebody else's by being broken.
pub fn leave_out(loaded: &mut Loaded<Object>, files: &[File], twins: &[File]) -> usize {
    let broken = broken(&loaded.diagnostics);
    if broken.is_empty() {
        return 0;
    }
    let declaring = loaded.objects.iter();
    let declaring: BTreeSet<u32> = declaring.map(|object| object.origin.source).collect();
    let twins: HashMap<&str, &File> = twins.iter().map(|file| (&*file.name, file)).collect();
    let is_others = |source: &u32| {
        let Some(file) = files.get(*source as usize).filter(|file| file.found) else {
            return false;
        };
        let twin = twins.get(&*file.name);
        !declaring.contains(source)
            && !names_us(&file.text)
            && !twin.is_some_and(|twin| names_us(&twin.text))
    };
    let others: BTreeSet<u32> = broken.into_iter().filter(is_others).collect();
    loaded
        .diagnostics
        .retain(|each| !source(each).is_some_and(|source| others.contains(&source)));
    others.len()
}

/// The texts that could not be read, all of them or a document.
fn broken(diagnostics: &[Diagnostic]) -> BTreeSet<u32> {
    let unread = [code::SYNTAX, code::ENCODING, code::TOO_LARGE, code::ALIAS];
    let broken = diagnostics.iter();
    let broken = broken.filter(|each| unread.contains(&&*each.code));
    broken.filter_map(source).collect()
}

fn source(diagnostic: &Diagnostic) -> Option<u32> {
    diagnostic.place.as_ref().map(|place| place.source)
}

/// Whether a text is meant for Drover. One that some editor saved as UTF-16 has zeros between its letters.
fn names_us(text: &[u8]) -> bool {
    let holds = |text: &[u8]| text.windows(OURS.len()).any(|part| part == OURS);
    holds(text) || {
        let letters = text.iter().copied().filter(|byte| *byte != 0);
        text.contains(&0) && holds(&letters.collect::<Vec<u8>>())
    }
}

#[cfg(test)]
mod tests {
    use drover_manifest::{Options, drover_kinds, load};

    use super::*;

    fn file(name: &str, text: impl Into<Vec<u8>>) -> File {
        File {
            name: name.to_owned(),
            text: text.into(),
            found: true,
        }
    }

    /// How many are left out, and the files that something is said of.
    fn left_out(files: &[File], twins: &[File]) -> (usize, Vec<String>) {
        let sources: Vec<_> = files.iter().map(File::source).collect();
        let mut loaded = load(&sources, &drover_kinds(), &Options::default());
        let others = leave_out(&mut loaded, files, twins);
        let said = loaded.diagnostics.iter();
        let said = said.filter_map(|each| Some(each.place.as_ref()?.file.to_string()));
        (others, said.collect())
    }

    const TEMPLATE: &str =
        "{{- if .Values.on }}\napiVersion: apps/v1\nkind: Deployment\n{{- end }}\n";

    #[test]
    fn what_cannot_be_read_and_does_not_name_us_is_counted() {
        let files = [
            file("templates/web.yaml", TEMPLATE),
            file("playbook.yml", "- hosts: all\n\ttasks: []\n"),
            file("other/broken.json", "{ \"a\": [1, "),
            file("x.yaml", [0x89, b'P', b'N', b'G', 0xff, 0, 1]),
        ];
        assert_eq!(left_out(&files, &[]), (4, Vec::new()));
    }

    #[test]
    fn what_names_us_is_ours() {
        let ours = TEMPLATE.replace("apps/v1", "drover.dev/v1alpha1");
        let wide: Vec<u8> = "apiVersion: drover.dev/v1alpha1\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let files = [file("ours.yaml", ours), file("wide.yaml", wide)];
        let (others, said) = left_out(&files, &[]);
        assert_eq!(others, 0);
        assert_eq!(said, ["ours.yaml", "wide.yaml"]);
    }

    #[test]
    fn what_was_named_is_meant() {
        let named = File {
            found: false,
            ..file("web.yaml", TEMPLATE)
        };
        assert_eq!(left_out(&[named], &[]), (0, vec!["web.yaml".to_owned()]));
    }

    #[test]
    fn what_was_ours_is_ours_when_it_is_broken() {
        let before = file("site.yaml", "apiVersion: drover.dev/v1alpha1\nkind: Site\n");
        let after = file("site.yaml", "kind: [");
        let (others, said) = left_out(&[after], &[before]);
        assert_eq!((others, said.len()), (0, 1));
    }

    #[test]
    fn what_can_be_read_is_looked_at_as_ever() {
        let wrong = file("site.yaml", "kind: Site\nmetadata: { name: a }\nspec: {}\n");
        assert_eq!(left_out(&[wrong], &[]), (0, vec!["site.yaml".to_owned()]));
    }
}
