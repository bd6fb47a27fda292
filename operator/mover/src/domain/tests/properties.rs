//! What holds for descriptions that nobody thought of.

use std::path::Path;

use proptest::prelude::*;

use super::{nic, running};
use crate::domain::{Domain, Mark, tree};

fn name() -> impl Strategy<Value = String> {
    "(x:)?[a-z][a-z0-9.-]{0,6}".prop_filter("known here", |name| {
        !["metadata", "devices", "uuid", "name"].contains(&name.as_str())
    })
}

/// Any element that a later libvirt or somebody else may put in, as a program would write it.
fn unknown() -> impl Strategy<Value = tree::Element> {
    let text = "[ -~\u{e4}\u{20ac}\n\t]{1,12}";
    let attributes = prop::collection::btree_map(name(), text, 0..4).boxed();
    let leaf = (name(), attributes.clone(), prop::option::of(text));
    let leaf = leaf.prop_map(|(name, attributes, text)| tree::Element {
        name,
        attributes: attributes.into_iter().collect(),
        content: text.into_iter().map(tree::Node::Text).collect(),
    });
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let node = prop_oneof![
            4 => inner.prop_map(tree::Node::Element),
            1 => "[a-z <&]{0,9}".prop_map(tree::Node::Comment),
            1 => "[a-z <&]{1,9}".prop_map(tree::Node::CData),
        ];
        let content = prop::collection::vec(node, 0..4);
        (name(), attributes.clone(), content).prop_map(|(name, attributes, content)| {
            tree::Element {
                name,
                attributes: attributes.into_iter().collect(),
                content,
            }
        })
    })
}

proptest! {
    // Wherever it stands, whatever is changed around it.
    #[test]
    fn what_is_unknown_survives_every_change(unknown in unknown(), place in 0..5_usize) {
        let wrapped = tree::Element {
            content: vec![tree::Node::Element(unknown)],
            ..tree::Element::new("x:later")
        };
        let mut domain = running();
        let path: [&[&str]; 5] = [&[], &["devices"], &["metadata"], &["devices", "video"], &["os"]];
        domain.root.down_mut(path[place]).unwrap().add(wrapped.clone());
        domain.set_name("other");
        domain.set_uuid(None);
        domain.set_disk("vda", Path::new("/x"), "qcow2").unwrap();
        domain.eject_removable();
        domain.set_interfaces(&[nic("a", None, true), nic("b", None, false), nic("c", None, true)]);
        domain.set_cpus(1);
        domain.set_memory(1 << 30);
        domain.set_machine_type("q35");
        domain.set_metadata(Mark { epoch: 1, made_at: Some(2) });
        domain.drop_runtime();
        let read = Domain::parse(&domain.to_xml()).unwrap();
        prop_assert!(read == domain);
        let there = read.root.down(path[place]).unwrap();
        prop_assert_eq!(there.child("x:later"), Some(&wrapped));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[<>/a-c='\"&;! \\[\\]?-]{0,40}") {
        if let Ok(domain) = Domain::parse(&format!("<domain>{text}</domain>")) {
            prop_assert!(Domain::parse(&domain.to_xml()).unwrap() == domain);
        }
    }
}
