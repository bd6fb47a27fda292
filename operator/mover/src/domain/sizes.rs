//! Processors and memory of a machine.

use super::edit::Domain;
use super::tree::Element;

const KIB: u64 = 1 << 10;

impl Domain {
    /// The processors that it has; those that could be plugged in do not count.
    pub fn cpus(&self) -> Option<u32> {
        let vcpu = self.root.child("vcpu")?;
        let most = || vcpu.text().parse().ok();
        vcpu.get("current")
            .and_then(|now| now.parse().ok())
            .or_else(most)
    }

    /// The memory that it starts with, in bytes.
    pub fn memory(&self) -> Option<u64> {
        kib_of(self.root.child("memory")?)?.checked_mul(KIB)
    }

    /// Gives it so many processors. What was said of others, or of how they are arranged, goes where it
    /// contradicts.
    pub fn set_cpus(&mut self, n: u32) {
        let vcpu = self.root.make("vcpu");
        vcpu.set_text(&n.to_string());
        vcpu.unset("current");
        let listed = self
            .root
            .child("vcpus")
            .map(|all| all.named("vcpu").count());
        if listed.is_some_and(|listed| listed != n as usize) {
            self.root.remove("vcpus");
        }
        if let Some(cpu) = self.root.child_mut("cpu") {
            cpu.retain(|child| child.name != "topology" || processors(child) == Some(u64::from(n)));
        }
        self.drop_cells_beyond(n);
        if let Some(tune) = self.root.child_mut("cputune") {
            tune.retain(|child| {
                let named = child.get("vcpu").or_else(|| child.get("vcpus"));
                named.is_none_or(|named| fits(named, n))
            });
        }
    }

    /// Nodes of memory with processors that are no more: without nodes the guest has one.
    fn drop_cells_beyond(&mut self, n: u32) {
        let fit = self.root.down(&["cpu", "numa"]).is_none_or(|numa| {
            let mut lists = numa.named("cell").filter_map(|cell| cell.get("cpus"));
            lists.all(|cpus| fits(cpus, n))
        });
        if fit {
            return;
        }
        if let Some(cpu) = self.root.child_mut("cpu") {
            cpu.remove("numa");
        }
        if let Some(tune) = self.root.child_mut("numatune") {
            tune.remove("memnode");
        }
    }

    /// Gives it so much memory, in bytes, from its start. Modules of memory that were plugged in count in.
    pub fn set_memory(&mut self, bytes: u64) {
        let kib = bytes.div_ceil(KIB);
        let most = self.root.child_mut("maxMemory");
        if let Some(most) = most.filter(|most| kib_of(most).is_some_and(|most| most < kib)) {
            set_kib(most, kib);
        }
        for name in ["memory", "currentMemory"] {
            set_kib(self.root.make(name), kib);
        }
        let Some(numa) = self.root.down_mut(&["cpu", "numa"]) else {
            return;
        };
        // libvirt takes the sum of the nodes for the memory of the machine.
        let nodes = numa.named("cell").count() as u64;
        let cells = numa.children_mut().filter(|child| child.name == "cell");
        for (cell, at) in cells.zip(0..) {
            let share = kib / nodes + u64::from(at < kib % nodes);
            cell.set("memory", &share.to_string());
            cell.set("unit", "KiB");
        }
    }
}

fn set_kib(element: &mut Element, kib: u64) {
    element.set("unit", "KiB");
    element.set_text(&kib.to_string());
}

/// As libvirt counts: without a unit these are KiB, units of one letter are binary.
fn kib_of(element: &Element) -> Option<u64> {
    let unit: u64 = match element.get("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KB" => 1_000,
        "k" | "KiB" => KIB,
        "MB" => 1_000_000,
        "M" | "MiB" => KIB.pow(2),
        "GB" => 1_000_000_000,
        "G" | "GiB" => KIB.pow(3),
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => KIB.pow(4),
        _ => return None,
    };
    let number: u64 = element.text().parse().ok()?;
    Some(number.checked_mul(unit)?.div_ceil(KIB))
}

/// How many processors an arrangement has; all of its levels count once where they are not said.
fn processors(topology: &Element) -> Option<u64> {
    let levels = ["sockets", "dies", "clusters", "cores", "threads"];
    levels.iter().try_fold(1_u64, |product, level| {
        let count = topology.get(level).unwrap_or("1");
        product.checked_mul(count.parse().ok()?)
    })
}

/// Whether a list such as `0-3,^1,7` names only the first `n` processors.
fn fits(list: &str, n: u32) -> bool {
    let named = list.split(',').filter(|part| !part.trim().starts_with('^'));
    let mut highest = named.map(|part| part.rsplit('-').next().unwrap_or(part));
    highest.all(|number| number.trim().parse::<u32>().is_ok_and(|number| number < n))
}
