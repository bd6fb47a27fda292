//! Sites of QEMU machines under libvirt.
