//! The program that emulates a machine.

use super::edit::Domain;

impl Domain {
    /// Leaves the choice of its emulator to libvirt, unless it is one of these: hosts have theirs at other
    /// paths. While none is known it stays as it is.
    pub fn use_emulator_of(&mut self, emulators: &[String]) {
        let Some(devices) = self.root.child_mut("devices") else {
            return;
        };
        if !emulators.is_empty() {
            devices
                .retain(|device| device.name != "emulator" || emulators.contains(&device.text()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_that_a_host_does_not_have_is_its_own_choice() {
        // SPEC: FB-4
        let debian = "<domain type='kvm'><name>db-1</name><devices>\n  \
            <emulator>/usr/bin/qemu-system-x86_64</emulator>\n  <memballoon model='none'/>\n</devices></domain>\n";
        let other = "<domain type='kvm'><name>db-1</name><devices>\n  \
            <memballoon model='none'/>\n</devices></domain>\n";
        let case = |xml: &str, emulators: &[&str]| {
            let mut domain = Domain::parse(xml).unwrap();
            let emulators: Vec<_> = emulators.iter().map(ToString::to_string).collect();
            domain.use_emulator_of(&emulators);
            domain.to_xml()
        };
        assert_eq!(case(debian, &["/usr/libexec/qemu-kvm"]), other);
        let both = ["/usr/libexec/qemu-kvm", "/usr/bin/qemu-system-x86_64"];
        assert_eq!(case(debian, &both), debian);
        assert_eq!(case(debian, &[]), debian);
        assert_eq!(case(other, &both), other);
        let bare = "<domain type='kvm'><name>db-1</name></domain>\n";
        assert_eq!(case(bare, &both), bare);
    }
}
