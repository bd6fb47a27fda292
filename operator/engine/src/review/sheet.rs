//! Where the meanings of one object are written down.

use std::fmt::Display;

use super::meaning::{Class, Meaning, ObjectRef, Place, Which};
use crate::problem::FieldPath;

/// An object on the sides that have it.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) object: ObjectRef,
    /// Its position in the input before, where it was there.
    pub(super) before: Option<usize>,
    /// Its position in the input after, where it is there.
    pub(super) after: Option<usize>,
}

/// The meanings of one object.
pub(super) struct Sheet<'o> {
    out: &'o mut Vec<Meaning>,
    pub(super) subject: Subject,
    /// Whom it is about, said under every meaning.
    pub(super) affected: Vec<String>,
    /// Nobody is affected: nothing that changes here is more than harmless.
    pub(super) idle: bool,
}

impl<'o> Sheet<'o> {
    pub(super) fn new(out: &'o mut Vec<Meaning>, subject: Subject) -> Self {
        Self {
            out,
            subject,
            affected: Vec::new(),
            idle: false,
        }
    }

    /// One thing that the change means.
    pub(super) fn say(
        &mut self,
        code: &'static str,
        class: Class,
        path: FieldPath,
        message: impl Into<String>,
    ) -> Draft<'_> {
        let (which, object) = match (self.subject.after, self.subject.before) {
            (Some(after), _) => (Which::After, after),
            (None, before) => (Which::Before, before.unwrap_or_default()),
        };
        // What the API refuses it refuses whoever is affected.
        let idle = self.idle && class != Class::Refused;
        let position = self.out.len();
        self.out.push(Meaning {
            code,
            class: if idle { Class::Harmless } else { class },
            object: self.subject.object.clone(),
            message: message.into(),
            before: None,
            after: None,
            effects: self.affected.clone(),
            run: None,
            place: Place {
                which,
                object,
                path,
            },
        });
        Draft {
            meaning: &mut self.out[position],
        }
    }

    /// A value that changes, where it does.
    pub(super) fn change<T: PartialEq + Display>(
        &mut self,
        what: Changed<'_, T>,
        class: impl FnOnce(&T, &T) -> Class,
        message: impl FnOnce(&T, &T) -> String,
    ) {
        let Changed {
            code,
            path,
            before,
            after,
        } = what;
        if before == after {
            return;
        }
        self.say(code, class(before, after), path, message(before, after))
            .values(Some(before), Some(after));
    }
}

/// A value on both sides.
pub(super) struct Changed<'v, T> {
    pub(super) code: &'static str,
    pub(super) path: FieldPath,
    pub(super) before: &'v T,
    pub(super) after: &'v T,
}

/// A meaning that was just written down, to be completed.
pub(super) struct Draft<'o> {
    meaning: &'o mut Meaning,
}

impl Draft<'_> {
    /// With the values that changed.
    pub(super) fn values<B: Display, A: Display>(
        self,
        before: Option<B>,
        after: Option<A>,
    ) -> Self {
        self.meaning.before = before.map(|value| value.to_string());
        self.meaning.after = after.map(|value| value.to_string());
        self
    }

    /// With something that follows from it, before whom it is about.
    pub(super) fn effect(self, effect: impl Into<String>) -> Self {
        self.meaning.effects.insert(0, effect.into());
        self
    }

    /// With several things that follow from it.
    pub(super) fn effects(self, effects: impl IntoIterator<Item = String>) -> Self {
        self.meaning.effects.splice(0..0, effects);
        self
    }

    /// With the run that starts.
    pub(super) fn run(self, run: super::meaning::RunAhead) -> Self {
        self.meaning.run = Some(run);
        self
    }
}

/// The worse class where something grew, else harmless.
pub(super) fn if_more<T: PartialOrd>(worse: Class) -> impl FnOnce(&T, &T) -> Class {
    move |before, after| {
        if after > before {
            worse
        } else {
            Class::Harmless
        }
    }
}

/// The worse class where something shrank, else harmless.
pub(super) fn if_less<T: PartialOrd>(worse: Class) -> impl FnOnce(&T, &T) -> Class {
    move |before, after| {
        if after < before {
            worse
        } else {
            Class::Harmless
        }
    }
}

/// Always harmless.
pub(super) fn harmless<T>(_: &T, _: &T) -> Class {
    Class::Harmless
}
