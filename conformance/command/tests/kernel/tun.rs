//! `faultwire lab --tun`: a program that is its host's network stack, and has a TUN device.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use faultwire::fault::FaultPlan;

use crate::bench::{kernel_config, lab, pause};

const FAULTWIRE: &str = env!("CARGO_BIN_EXE_faultwire");

/// A stack of IPv6 in four lines: it sends each datagram back. A checksum does not tell where addresses and
/// ports stand. No kernel has handed the packet on: the hop limit is as it was sent.
const MIRROR: &str = "\
import fcntl, os, struct
assert os.environ['FAULTWIRE_ADDRESS'] == 'fd00::2/64' and os.environ['FAULTWIRE_GATEWAY'] == 'fd00::1'
tun = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack('16sH22x', os.environ['FAULTWIRE_TUN'].encode(), 0x1001))
while p := os.read(tun, int(os.environ['FAULTWIRE_MTU'])):
    assert p[0] >> 4 == 6 and p[7] == 64, p
    os.write(tun, p[:8] + p[24:40] + p[8:24] + p[42:44] + p[40:42] + p[44:])
";

/// A client with its own stack: sends one datagram, once, and takes the answer.
const ASK: &str = "\
import os, struct, sys
sys.path.insert(0, sys.argv[1])
from socket import inet_aton
from tun_udp import Host, field, open_tun
own = inet_aton(os.environ['FAULTWIRE_ADDRESS'].split('/')[0])
host = Host(struct.pack('>H', 1) + field((own, 0)) + bytes(19) + struct.pack('>HQ', 1500, 0))
fd = int.from_bytes(host.socket(4, 2, 17), 'big')
host.send(host.sockets[fd], (inet_aton(os.environ['FAULTWIRE_SERVER']), 7000), b'from a stack')
tun = open_tun(os.environ['FAULTWIRE_TUN'])
os.write(tun, host.packets[0])
while not host.sockets[fd].queue:
    host.input(os.read(tun, 1500))
print(host.sockets[fd].queue[0][1].decode())
";

/// Whether this machine has a lab with a TUN device, and Python; says what is missing.
fn is_here() -> bool {
    if lab(kernel_config()).is_none() {
        return false;
    }
    if let Err(error) = std::fs::File::open("/dev/net/tun") {
        crate::require::skipped("lab", format_args!("/dev/net/tun: {error}"));
        return false;
    }
    let found = Command::new("python3").arg("-V").stdout(Stdio::null()).status();
    if let Err(error) = &found {
        crate::require::skipped("python3", format_args!("it cannot be started ({error}): install it"));
    }
    found.is_ok()
}

fn stacks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/stacks")
}

fn echo() -> String {
    format!("exec python3 -S '{}'", stacks().join("tun_udp.py").display())
}

fn run(words: &[&str]) -> (Option<i32>, String, String) {
    finish(Command::new(FAULTWIRE).arg("lab").args(words))
}

fn finish(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// The names of the devices that this process sees.
fn devices() -> BTreeSet<String> {
    let table = std::fs::read_to_string("/proc/net/dev").expect("a table of devices");
    table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// Whether any process is in that network namespace, or anything has mounted it.
fn is_alive(namespace: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("a table of processes").flatten();
    let mut namespaces = processes.filter_map(|it| std::fs::read_link(it.path().join("ns/net")).ok());
    namespaces.any(|it| it == Path::new(namespace))
        || std::fs::read_to_string("/proc/self/mountinfo").expect("a table").contains(namespace)
}

#[test]
fn a_stack_in_python_answers_the_kernel_and_nothing_is_left() {
    let before = devices();
    if !is_here() {
        return;
    }
    let server = format!("readlink /proc/self/ns/net; {}", echo());
    let client = format!("{FAULTWIRE} call udp-echo {{server}}:7000 --count 20 --message there");
    let (code, said, complained) = run(&["--tun", "server", "--server", &server, "--client", &client]);
    assert_eq!(code, Some(0), "{said}{complained}");
    assert!(!complained.contains("outside of the plan"), "{complained}");
    assert!(said.contains("client | 20 of 20 answered"), "{said}");
    let namespace = said.lines().find_map(|line| line.strip_prefix("server | ")).expect("its namespace");
    assert!(namespace.starts_with("net:["), "{namespace}");
    // Its number may be that of another test's namespace by now, for as long as that lasts.
    assert!((0..600).any(|_| {
        let is_gone = !is_alive(namespace);
        pause(Duration::from_millis(if is_gone { 0 } else { 50 }));
        is_gone
    }));
    assert_eq!(devices(), before);
}

#[test]
fn a_plan_loses_the_first_datagram_and_the_client_asks_again() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.toml");
    let call = format!("{FAULTWIRE} call udp-echo {{server}}:7000 --timeout");
    // What the plan says of its own server.
    let plan = format!(
        "format = 1\n[lab]\nserver = '''{}'''\nclient = '''{call} 0.5 || {call} 5'''\ntun = [\"server\"]\n\
         [[fault]]\ndirection = \"client->server\"\npacket = {{ class = \"datagram\", nth = 1 }}\n\
         action = \"drop\"\n",
        echo()
    );
    std::fs::write(&path, plan).expect("it is written");
    let path = path.to_str().expect("text");
    let (code, said, complained) = run(&["--plan", path, "--trace", "-"]);
    assert_eq!(code, Some(0), "{said}{complained}");
    for part in [
        "client | 0 of 1 answered",
        "client | 1 of 1 answered",
        "fault 1: took place: drop client->server datagram 1",
        "server->client datagram 1 flow 2: udp 10.0.0.2:7000",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!complained.contains("outside of the plan"), "{complained}");
    // It says nothing of another command.
    let server = format!("{FAULTWIRE} serve udp-echo --listen 0.0.0.0:7000");
    let (code, said, complained) = run(&["--plan", path, "--server", &server]);
    assert_eq!(code, Some(0), "{said}{complained}");
    assert!(complained.contains("server | listening on "), "{complained}");
}

/// The client asks once, so that each lost datagram makes it fail.
#[test]
fn a_search_finds_what_a_stack_makes_fail_and_its_plan_replays() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.toml");
    let name = path.to_str().expect("text");
    let client = format!("{FAULTWIRE} call udp-echo {{server}}:7000 --timeout 1");
    let search = ["search", "--tun", "server", "--server", &echo(), "--client", &client, "--out", name];
    let (code, said, complained) = run(&[&search[..], &["--timeout", "20"]].concat());
    assert_eq!(code, Some(1), "{said}{complained}");
    let found = FaultPlan::read(&path).expect("a plan");
    assert_eq!(found.lab.expect("the commands").tun, ["server"]);
    assert_eq!(found.faults.len(), 1, "{said}");
    let (code, said, complained) = run(&["--plan", name]);
    assert_eq!(code, Some(1), "{said}{complained}");
    assert!(said.contains("client | 0 of 1 answered") && said.contains("1 of 1 took place"), "{said}");
}

#[test]
fn a_client_has_its_own_stack_too() {
    if !is_here() {
        return;
    }
    let client = format!("python3 -Sc \"{ASK}\" '{}'", stacks().display());
    let kernel = format!("{FAULTWIRE} serve udp-echo --listen 0.0.0.0:7000");
    for (server, tun) in [(kernel, vec![]), (echo(), vec!["--tun", "server"])] {
        let words = ["--tun", "client", "--server", &server, "--client", &client];
        let (code, said, complained) = run(&[&words[..], &tun].concat());
        assert_eq!(code, Some(0), "{said}{complained}");
        assert!(said.contains("client | from a stack\n"), "{said}{complained}");
        assert!(!complained.contains("outside of the plan"), "{complained}");
    }
}

#[test]
fn a_stack_has_an_address_of_ipv6() {
    if !is_here() {
        return;
    }
    let server = format!("exec python3 -Sc \"{MIRROR}\"");
    let client = format!("{FAULTWIRE} call udp-echo [{{server}}]:7000 --count 5");
    let (code, said, complained) =
        run(&["--ipv6", "--tun", "server", "--server", &server, "--client", &client]);
    assert_eq!(code, Some(0), "{said}{complained}");
    assert!(said.contains("client | 5 of 5 answered"), "{said}");
}

/// While no stack runs, the host is down: what is for it is lost, and that is of the plan.
#[test]
fn a_stack_whose_host_loses_power_starts_again() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.toml");
    let event = |kind: &str, nth: u8| {
        format!(
            "[[event]]\nkind = \"{kind}\"\nhost = \"server\"\n\
             after = {{ direction = \"client->server\", class = \"datagram\", nth = {nth} }}\n"
        )
    };
    let client = format!(
        "until {FAULTWIRE} call udp-echo {{server}}:7000 --message a --timeout 0.3; do :; done; \
         until {FAULTWIRE} call udp-echo {{server}}:7000 --message b --timeout 0.3; do :; done"
    );
    for death in ["crash", "kill"] {
        let plan = format!("format = 1\n{}{}", event(death, 2), event("restart", 3));
        std::fs::write(&path, plan).expect("it is written");
        let plan = path.to_str().expect("text");
        let (code, said, complained) =
            run(&["--tun", "server", "--server", &echo(), "--client", &client, "--plan", plan]);
        assert_eq!(code, Some(0), "{said}{complained}");
        for part in ["client | 0 of 1 answered", "client | 1 of 1 answered", "2 of 2 took place"] {
            assert!(said.contains(part), "{death}: {part}: {said}");
        }
        assert!(complained.contains("the server starts again"), "{complained}");
        assert!(!complained.contains("outside of the plan"), "{death}: {complained}");
    }
    // One that ends by itself is a death of the server, and no loss outside of the plan.
    let server = "python3 -Sc \"import os, sys; sys.path.insert(0, os.environ['STACKS']); import tun_udp; \
                  os.read(tun_udp.open_tun('tun0'), 99); os._exit(7)\"";
    let server = format!("STACKS='{}' {server}", stacks().display());
    let (code, said, complained) =
        run(&["--tun", "server", "--server", &server, "--client", &client, "--timeout", "3"]);
    assert_eq!(code, Some(124), "{said}{complained}");
    assert!(complained.contains("the server exits with 7 by itself"), "{complained}");
    assert!(!complained.contains("outside of the plan"), "{complained}");
}

#[test]
fn a_program_that_never_opens_its_device_is_told_how_to() {
    if !is_here() {
        return;
    }
    let what_to_do = ": a network stack opens /dev/net/tun and takes the device that FAULTWIRE_TUN names \
                      (TUNSETIFF with IFF_TUN | IFF_NO_PI); a program that uses the kernel's sockets runs \
                      without --tun\n";
    let kernel = format!("{FAULTWIRE} serve udp-echo --listen 0.0.0.0:7000");
    let server = ["--tun", "server", "--server", &kernel, "--client", "true", "--timeout", "1"];
    let (code, _, complained) = run(&server);
    assert_eq!(code, Some(1), "{complained}");
    let expected = format!("error: the server has not opened its TUN device, 1s after its start{what_to_do}");
    assert!(complained.ends_with(&expected), "{complained}");

    let client = format!("{FAULTWIRE} call udp-echo {{server}}:7000");
    let (code, said, complained) = run(&["--tun", "client", "--server", &kernel, "--client", &client]);
    assert_eq!(code, Some(1), "{said}{complained}");
    let expected = format!("\nthe client has sent nothing through its TUN device{what_to_do}");
    assert!(complained.contains(&expected), "{complained}");

    let early = ["--tun", "server", "--server", "exit 3", "--client", "true"];
    let (code, _, complained) = run(&early);
    assert_eq!(code, Some(1), "{complained}");
    let expected = "error: the server ended before it opened its TUN device: exit status: 3";
    assert!(complained.starts_with(expected), "{complained}");
}

#[test]
fn a_machine_without_the_device_node_says_what_would_allow_it() {
    if !is_here() {
        return;
    }
    // In a mount namespace where it is hidden.
    let mut hidden = Command::new("unshare");
    let script = "mount -t tmpfs none /dev/net && exec \"$0\" \"$@\"";
    hidden.args(["-Urm", "sh", "-c", script]);
    let (code, _, complained) = finish(Command::new("unshare").args(["-Urm", "true"]));
    if code != Some(0) {
        crate::require::skipped("unshare", complained.trim_end());
        return;
    }
    hidden.args([FAULTWIRE, "lab", "--tun", "client", "--server", "true", "--client", "true"]);
    let (code, _, complained) = finish(&mut hidden);
    assert_eq!(code, Some(3), "{complained}");
    for part in ["error: /dev/net/tun cannot be opened: ", "likely cause: ", "modprobe tun"] {
        assert!(complained.contains(part), "{part}: {complained}");
    }
}
