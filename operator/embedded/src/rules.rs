//! What an object of a kind must look like: one door for built-in kinds and for defined ones.

use serde_json::Value;

pub(crate) use crate::schema::Part;
use crate::{builtin::Builtin, error::Cause, schema::Compiled};

/// The rules of one version of a kind.
#[derive(Debug)]
pub(crate) enum Rules {
    Builtin(Builtin),
    Defined {
        compiled: Box<Compiled>,
        /// No rule looks at the status and at something else together.
        status_alone: bool,
    },
}

impl Rules {
    /// Leaves out what is unknown and fills in what has a default. Returns the paths of what was
    /// left out.
    ///
    /// # Errors
    ///
    /// What cannot be read at all.
    pub fn admit(&self, object: &mut Value) -> Result<Vec<String>, String> {
        match self {
            Self::Builtin(builtin) => {
                let read = builtin.read(object).map_err(|error| error.to_string())?;
                let mut unknown = Vec::new();
                left_out(object, &read, &mut String::new(), &mut unknown);
                *object = read;
                builtin.default(object);
                Builtin::leave_out_empty(object);
                Ok(unknown)
            }
            Self::Defined { compiled, .. } => Ok(compiled.admit(object)),
        }
    }

    /// What is wrong with an admitted object.
    pub fn validate(&self, new: &Value, old: Option<&Value>, part: Part) -> Vec<Cause> {
        match self {
            Self::Builtin(builtin) => builtin.validate(new, old),
            Self::Defined { compiled, .. } => compiled
                .validate(new, old, part)
                .into_iter()
                .map(|error| Cause {
                    field: error.field,
                    reason: error.reason.as_str().to_owned(),
                    message: error.message,
                })
                .collect(),
        }
    }
}

/// Paths that `given` has and `read` has not.
fn left_out(given: &Value, read: &Value, path: &mut String, out: &mut Vec<String>) {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => {
            for (key, value) in given {
                let length = path.len();
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                match read.get(key) {
                    Some(read) => left_out(value, read, path, out),
                    // What is null may well be known, and is not written.
                    None if value.is_null() => {}
                    None => out.push(path.clone()),
                }
                path.truncate(length);
            }
        }
        (Value::Array(given), Value::Array(read)) => {
            for (index, (given, read)) in given.iter().zip(read).enumerate() {
                let length = path.len();
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
                left_out(given, read, path, out);
                path.truncate(length);
            }
        }
        _ => {}
    }
}
