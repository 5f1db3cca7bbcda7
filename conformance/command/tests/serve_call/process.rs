//! The command as processes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};

pub(crate) const FAULTWIRE: &str = env!("CARGO_BIN_EXE_faultwire");

/// A process that says `listening on ADDRESS …` on its stderr; killed if the test ends before it.
pub(crate) struct Server {
    child: Child,
    pub(crate) addr: String,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Server {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        let stderr = child.stderr.take().expect("piped");
        BufReader::new(stderr).read_line(&mut line).expect("a line");
        let told = line.strip_prefix("listening on ").and_then(|rest| rest.split([' ', ',', '\n']).next());
        let addr = told.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
        Server { child, addr }
    }

    pub(crate) fn serve(program: &str, more: &[&str]) -> Server {
        let args = ["serve", program, "--listen", "127.0.0.1:0"];
        Server::start(Command::new(FAULTWIRE).args(args).args(more))
    }

    /// Sends a signal and gives what the process said on stdout, once it has ended well.
    pub(crate) fn stop(mut self, signal: &str) -> String {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status().expect("sh");
        assert!(sent.success());
        let mut said = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0), "{said}");
        said
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn call(args: &[&str]) -> Output {
    Command::new(FAULTWIRE).arg("call").args(args).output().expect("the client starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
