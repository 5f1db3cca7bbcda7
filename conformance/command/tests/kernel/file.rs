//! A file between two processes in the lab, over the adaptive socket and over the kernel's TCP, while packets
//! are lost.

use std::fs;
use std::process::{Command, Stdio};

use faultwire::fault::{Draw, Impairment};

use crate::bench::{kernel_config, lab};

const FAULTWIRE: &str = env!("CARGO_BIN_EXE_faultwire");

/// The file's bytes: no two stretches of it are alike.
const BYTES: u32 = 2_000_000;

#[test]
fn a_file_arrives_as_it_was_although_one_packet_in_twenty_is_lost() {
    if lab(kernel_config()).is_none() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("text").to_owned();
    let data: Vec<u8> =
        (0..BYTES / 4).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    fs::write(path("file"), &data).expect("it is written");
    let lossy: Impairment = "loss 5%".parse().expect("netem's words");
    let plan = lossy.plan(&Draw::new(1, 4_000)).expect("a plan");
    fs::write(path("plan.toml"), plan.to_toml()).expect("it is written");
    for program in ["udp-file", "tcp-file"] {
        let got = path(program);
        let server =
            format!("{FAULTWIRE} serve {program} --listen 0.0.0.0:7000 --into {got} --datagram 1472");
        let file = path("file");
        let client =
            format!("{FAULTWIRE} call {program} {{server}}:7000 --file {file} --datagram 1472 --timeout 60");
        let output = Command::new(FAULTWIRE)
            .args(["lab", "--plan", &path("plan.toml"), "--timeout", "300"])
            .args(["--server", &server, "--client", &client])
            .stdin(Stdio::null())
            .output()
            .expect("it starts");
        let (said, complained) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{program}: {said}{complained}");
        assert!(said.contains(&format!("{BYTES} bytes arrived as they were sent")), "{program}: {said}");
        assert!(fs::read(&got).expect("it is there") == data, "{program}: other bytes arrived");
        let took_place = said.lines().filter(|line| line.contains(": took place: drop ")).count();
        assert!(took_place > 50, "{program}: of the losses {took_place} took place");
    }
}
