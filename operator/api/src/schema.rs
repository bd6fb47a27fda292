//! Schema pieces that the derive cannot say.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// Turns the schema of an externally tagged enum into one object with an optional property for each
/// arm, of which exactly one is set.
///
/// A `oneOf` would be accepted by the API server too, but its refusal ("must validate one and only
/// one schema") tells a person nothing, so the rule is a CEL expression with a message, beside
/// `minProperties` and `maxProperties` for readers of the schema that have no CEL.
pub(crate) fn exactly_one(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    let Some(Value::Array(arms)) = object.remove("oneOf") else {
        return;
    };
    let mut properties = Map::new();
    for arm in arms {
        let description = arm.get("description").cloned();
        if let Some(Value::Object(own)) = arm.get("properties").cloned() {
            for (name, mut property) in own {
                if let (Some(text), Some(target)) = (&description, property.as_object_mut()) {
                    target.insert("description".into(), text.clone());
                }
                properties.insert(name, property);
            }
        }
    }
    let mut names: Vec<&String> = properties.keys().collect();
    // The order of a JSON map is a feature of the crate, and any dependency may switch it.
    names.sort_unstable();
    let sum: Vec<String> = names
        .iter()
        .map(|name| format!("(has(self.{name})?1:0)"))
        .collect();
    let list = names
        .iter()
        .map(|name| name.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let rule = json!([{
        "rule": format!("{}==1", sum.join("+")),
        "message": format!("set exactly one of: {list}"),
    }]);
    object.insert("type".into(), json!("object"));
    object.insert("properties".into(), Value::Object(properties));
    object.insert("minProperties".into(), json!(1));
    object.insert("maxProperties".into(), json!(1));
    object.insert("x-kubernetes-validations".into(), rule);
}
