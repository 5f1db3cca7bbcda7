//! The placeholders in a pair's commands, and the commands that a plan holds.

use faultwire::fault::{LabPair, bounds};
use faultwire::lab::Profile;

use super::Settings;
use super::hosts::addresses;

/// What stands for an address in a command.
const PLACEHOLDERS: [&str; 2] = ["server", "client"];

/// Reads a command from the command line: a placeholder that is nearly a known one is an error.
///
/// Other words in braces are the command's own (`awk '{print}'`), and so is `${server}`, a variable of the
/// shell.
pub(super) fn checked(command: &str) -> Result<String, String> {
    if command.trim().is_empty() {
        return Err("expected a command, found nothing".to_owned());
    }
    let most = bounds::COMMAND_CHARS_MAX;
    if command.chars().nth(most).is_some() {
        return Err(format!("expected a command of up to {most} characters"));
    }
    for (_, name) in placeholders(command) {
        // One slip in three letters is a slip; more is another word.
        let is_near = |near: &&str| strsim::damerau_levenshtein(&name.to_lowercase(), near) * 3 <= near.len();
        if !PLACEHOLDERS.contains(&name)
            && let Some(near) = PLACEHOLDERS.into_iter().find(is_near)
        {
            return Err(format!("there is no placeholder {{{name}}}; did you mean {{{near}}}?"));
        }
    }
    Ok(command.to_owned())
}

/// The command with the addresses in it.
pub(super) fn filled(command: &str, ipv6: bool) -> String {
    let (client, server) = addresses(ipv6);
    let (mut filled, mut rest) = (String::new(), 0);
    for (at, name) in placeholders(command) {
        let addr = match name {
            "server" => server,
            "client" => client,
            _ => continue,
        };
        filled.push_str(&command[rest..at]);
        filled.push_str(&addr.to_string());
        rest = at + name.len() + 2;
    }
    filled + &command[rest..]
}

/// The words in braces, each with the place of its brace, without those behind a `$`.
fn placeholders(command: &str) -> impl Iterator<Item = (usize, &str)> {
    command.match_indices('{').filter_map(|(at, _)| {
        let (name, _) = command[at + 1..].split_once('}')?;
        let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_word && !command[..at].ends_with('$')).then_some((at, name))
    })
}

impl Settings {
    /// The pinned settings, if there are any.
    pub(super) fn profile(self) -> Option<Profile> {
        match self {
            Settings::Own => None,
            Settings::Fast => Some(Profile::Fast),
            Settings::Stock => Some(Profile::Stock),
        }
    }
}

/// The settings that a plan's pair was run with.
pub(super) fn settings(pair: &LabPair) -> Result<Settings, String> {
    let Some(name) = &pair.profile else { return Ok(Settings::Own) };
    clap::ValueEnum::from_str(name, false)
        .map_err(|_| format!("the plan's [lab] has the profile `{name}`, expected `own`, `fast` or `stock`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_that_is_nearly_one_is_a_slip() {
        for (command, meant) in
            [("curl {sever}", "server"), ("curl {Server}:80", "server"), ("x {clinet}", "client")]
        {
            let error = checked(command).expect_err(command);
            assert!(error.ends_with(&format!("did you mean {{{meant}}}?")), "{error}");
        }
        for command in [
            "curl http://{server}:8000/",
            "awk '{print}' {client}",
            "echo ${sever} $sever",
            "echo '{\"a\": {}}' {a,b}",
            "f() { :; }; f",
        ] {
            assert_eq!(checked(command).as_deref(), Ok(command));
        }
        assert!(checked(" ").is_err());
        assert!(checked(&"x".repeat(bounds::COMMAND_CHARS_MAX + 1)).is_err());
    }

    #[test]
    fn placeholders_are_filled_and_variables_of_the_shell_are_not() {
        let command = "call {server}:1 {client} ${server} {other} {server";
        assert_eq!(filled(command, false), "call 10.0.0.2:1 10.0.0.1 ${server} {other} {server");
        assert_eq!(filled("{server}", true), "fd00::2");
    }
}
