#!/bin/sh
# Runs inside fresh namespaces, as their first process: builds a root of its own over the host's, then becomes systemd.
# Arguments: an empty directory, the checkout, the directory with the units.
set -eu
box=$1 checkout=$2 units=$3

mount -t tmpfs -o mode=755 tmpfs "$box"
mkdir "$box/upper" "$box/work" "$box/root"
mount -t overlay -o "lowerdir=/,upperdir=$box/upper,workdir=$box/work" overlay "$box/root"
root=$box/root

mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do
    : >"$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

# The product: the checkout where every user can reach it, and an interpreter that knows it.
mkdir -p "$root/opt/checkout"
mount --bind "$checkout" "$root/opt/checkout"
chroot "$root" /usr/bin/python3 -m venv --without-pip /opt/venv
packages=$(echo "$root"/opt/venv/lib/python3*/site-packages)
for path in . rotators "$(cd "$checkout" && echo .venv/lib/python3*/site-packages)"; do
    echo "/opt/checkout/$path"
done >"$packages/checkout.pth"
for command in daemon:secretsd secretsctl:secretsctl; do
    printf "%s\n" "#!/opt/venv/bin/python -I" "from secretsd.cli.${command%:*} import main" "main()" >"$root/usr/bin/${command#*:}"
    chmod 755 "$root/usr/bin/${command#*:}"
done
cp "$units"/*.service "$units"/*.socket "$root/etc/systemd/system/"
mkdir -p "$root/etc/sysusers.d" "$root/etc/tmpfiles.d"
cp "$units/secretsd.sysusers" "$root/etc/sysusers.d/secretsd.conf"
cp "$units/secretsd.tmpfiles" "$root/etc/tmpfiles.d/secretsd.conf"

ip link set lo up
mkdir -p "$root/run/old"
cd "$root"
pivot_root . run/old
umount -l /run/old
systemd-sysusers 2>/dev/null
# systemd leaves this out in containers, and without it credentials never appear in a unit.
mount --make-rshared /
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=unshare \
    /lib/systemd/systemd --system --unit=basic.target --log-target=journal --show-status=no
