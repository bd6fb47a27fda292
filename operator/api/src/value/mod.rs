//! The values that fields hold: durations, sizes, networks, times, names.
//!
//! Each type reads one strict text form and prints back exactly what it read, so that a manifest
//! comes through Drover unchanged. Each carries its own JSON schema, and the checks that a schema
//! cannot state stand behind a format name that [`check_format`] knows. Values say nothing about
//! resources: what a duration is for, its default and its bounds belong to the field.
//!
//! Numbers are text too (`15m`, `20Gi`): a bare number never says its unit.

mod address;
mod bandwidth;
mod cidr;
mod cron;
mod cron_field;
mod duration;
mod error;
mod form;
mod humanize;
mod instant;
mod meant;
mod names;
mod number;
mod quantity;
mod time_of_day;
mod time_zone;

pub use address::Address;
pub use bandwidth::Bandwidth;
pub use cidr::Cidr;
pub use cron::Cron;
pub use duration::Duration;
pub use error::ValueError;
pub use humanize::humanize;
pub use names::{
    ConfigMapName, DrillName, FailbackPolicyName, GroupName, HostName, MachineName, MappingName,
    NamespaceName, NetworkAlias, NetworkName, PlanName, PolicyName, RunName, SecretName, SiteName,
    StepName,
};
pub use quantity::Quantity;
pub use time_of_day::TimeOfDay;
pub use time_zone::TimeZone;

/// What the formats begin with that only Drover knows.
const OWN_FORMATS: &str = "drover-";

/// Checks a text against the format its schema names; one that is not Drover's passes.
///
/// For who has a schema and a text but not the type, such as the loader of manifests, which places
/// the error in the file.
///
/// ```
/// use drover_api::value::check_format;
///
/// assert!(check_format("drover-duration", "15m").is_ok());
/// assert!(check_format("drover-duration", "15 min").is_err());
/// assert!(check_format("uuid", "checked by somebody else").is_ok());
/// ```
///
/// # Errors
///
/// What the type itself says when it reads the text.
pub fn check_format(format: &str, text: &str) -> Result<(), ValueError> {
    match format {
        "drover-duration" => text.parse::<Duration>().map(drop),
        "drover-quantity" => text.parse::<Quantity>().map(drop),
        "drover-bandwidth" => text.parse::<Bandwidth>().map(drop),
        "drover-address" => text.parse::<Address>().map(drop),
        "drover-time-of-day" => text.parse::<TimeOfDay>().map(drop),
        "drover-time-zone" => text.parse::<TimeZone>().map(drop),
        "drover-cron" => text.parse::<Cron>().map(drop),
        "cidr" => text.parse::<Cidr>().map(drop),
        "date-time" => instant::check(text),
        _ => Ok(()),
    }
}

/// Takes Drover's own formats out of a JSON schema, at any depth; patterns and `cidr` stay.
///
/// For the custom resource definitions: an API server checks no format it does not know, and since
/// Kubernetes 1.34 warns of each one whenever a definition is written (kubernetes#133136).
///
/// ```
/// use drover_api::value::strip_own_formats;
///
/// let mut schema = serde_json::json!({ "properties": {
///     "rto": { "type": "string", "format": "drover-duration" },
///     "subnet": { "type": "string", "format": "cidr" },
/// } });
/// strip_own_formats(&mut schema);
/// assert_eq!(schema["properties"]["rto"], serde_json::json!({ "type": "string" }));
/// assert_eq!(schema["properties"]["subnet"]["format"], "cidr");
/// ```
pub fn strip_own_formats(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(fields) => {
            // A property may be called "format" too; then it holds a schema, not a text.
            let format = fields.get("format").and_then(serde_json::Value::as_str);
            if format.is_some_and(|format| format.starts_with(OWN_FORMATS)) {
                fields.remove("format");
            }
            fields.values_mut().for_each(strip_own_formats);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(strip_own_formats),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
