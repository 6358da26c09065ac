// SPDX-License-Identifier: GPL-2.0
//! The command as a person calls it, as far as that works without the kernel module.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const GOOD: &str = "*filter\n:INPUT DROP [3:4]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n";

/// Runs the command with this on its standard input.
fn oxtables(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_oxtables"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be run");
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().expect("the command ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("what is printed is UTF-8")
}

#[test]
fn check_tells_by_its_status() {
    let good = oxtables(&["-4", "check", "-"], GOOD);
    assert_eq!(good.status.code(), Some(0));
    assert_eq!(
        text(&good.stdout),
        "standard input: good: 1 table, 3 chains, 1 rule\n"
    );

    let bad = oxtables(&["-4", "check", "-"], &GOOD.replace("--dport", "--dprot"));
    assert_eq!(bad.status.code(), Some(1));
    assert_eq!(text(&bad.stdout), "");
    // No colour where there is no terminal, and the place with file, line and column.
    assert_eq!(
        text(&bad.stderr),
        "error: unknown option `--dprot`\n \
         --> standard input:3:17\n  \
         |\n\
         3 | -A INPUT -p tcp --dprot 22 -j ACCEPT\n  \
         |                 ^^^^^^^\n  \
         |\n  \
         = help: did you mean `--dport`?\n\n"
    );
}

#[test]
fn a_wrong_call_is_told_from_a_wrong_ruleset() {
    for arguments in [
        &["lood", "x"][..],
        &["load"],
        &["-4", "-6", "check", "-"],
        &["check", "-", "--counters"],
    ] {
        assert_eq!(
            oxtables(arguments, "").status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
    let missing = oxtables(&["check", "/nonexistent/file"], "");
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("/nonexistent/file: No such file"));
}

#[test]
fn what_check_prints_is_accepted_again_and_stays_the_same() {
    let arguments = ["-4", "check", "-", "--print", "--counters"];
    let first = oxtables(&arguments, GOOD);
    let printed = text(&first.stdout);
    assert!(printed.contains(":INPUT DROP [3:4]\n"), "{printed}");
    assert!(
        printed.contains("[0:0] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n"),
        "{printed}"
    );
    let second = oxtables(&arguments, printed);
    assert_eq!(text(&second.stdout), printed);
}

#[test]
fn json_has_a_schema_and_says_the_same_as_the_text() {
    let bad = oxtables(&["-4", "--json", "check", "-"], &GOOD.replace("22", "9:1"));
    assert_eq!(bad.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&bad.stdout).expect("it is JSON");
    assert_eq!((&json["schema"], &json["ok"]), (&1.into(), &false.into()));
    let error = &json["errors"][0];
    assert_eq!((&error["line"], &error["column"]), (&3.into(), &25.into()));
    assert_eq!(error["message"], "range is reversed");

    let good = oxtables(&["-4", "--json", "check", "-", "--print"], GOOD);
    let json: serde_json::Value = serde_json::from_slice(&good.stdout).expect("it is JSON");
    let chain = &json["tables"][0]["chains"][0];
    assert_eq!(chain["policy"]["target"], "DROP");
    let rule = &chain["rules"][0];
    assert_eq!(rule["rule"], "-p tcp -m tcp --dport 22 -j ACCEPT");
    assert_eq!(rule["matches"][0]["options"][0]["values"][0], "22");
    assert_eq!(rule["target"]["name"], "ACCEPT");
}

/// The rulesets that people start from.
#[test]
fn the_examples_are_good() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = 0;
    for entry in directory.read_dir().expect("there are examples") {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "rules")
        {
            let checked = oxtables(&["check", path.to_str().unwrap()], "");
            assert!(checked.status.success(), "{}", text(&checked.stderr));
            seen += 1;
        }
    }
    assert!(seen >= 3);
}

#[test]
fn help_knows_commands_matches_targets_and_near_names() {
    let help = |topic: &str| oxtables(&["help", topic], "");
    for (topic, wanted) in [
        ("tcp", "[!] --dport, --destination-port PORT[:PORT]"),
        ("REJECT", "icmp6-adm-prohibited"),
        ("DROP", "-j DROP"),
        ("rule", "[!] -s, --source, --src ADDRESS"),
        ("load", "--noflush"),
    ] {
        let said = help(topic);
        assert!(said.status.success());
        assert!(
            text(&said.stdout).contains(wanted),
            "{topic}: {}",
            text(&said.stdout)
        );
    }
    let later = help("osf");
    assert_eq!(later.status.code(), Some(1));
    assert!(text(&later.stderr).contains("needs fingerprints"));
    let unknown = help("tpc");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("did you mean `tcp`?"));
}

#[test]
fn extensions_tells_what_there_is_and_why_not() {
    let lines = oxtables(&["extensions"], "");
    let wanted = [
        "match\tcomment\tyes\tipv4,ipv6\ta remark that stays with the rule\n",
        "match\tosf\tno\t\tneeds fingerprints of operating systems\n",
        "target\tDROP\tyes\tipv4,ipv6\tdrop the packet\n",
        "target\tSNAT\tno\t\tneeds NAT\n",
    ];
    for line in wanted {
        assert!(text(&lines.stdout).contains(line), "{line}");
    }
    let of_one_family = oxtables(&["-6", "extensions"], "");
    assert!(!text(&of_one_family.stdout).contains("match\ticmp\t"));

    let said = oxtables(&["extensions", "--json"], "");
    let json: serde_json::Value = serde_json::from_slice(&said.stdout).expect("it is JSON");
    assert_eq!(json["schema"], 1);
    let find = |kind: &str, name: &str| {
        let list = json[kind].as_array().expect("a list");
        let found: Vec<_> = list.iter().filter(|it| it["name"] == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    };
    let icmp = find("matches", "icmp");
    assert_eq!(
        (&icmp["supported"], &icmp["families"][0]),
        (&true.into(), &"ipv4".into())
    );
    let nat = find("targets", "MASQUERADE");
    assert_eq!(
        (&nat["supported"], &nat["reason"]),
        (&false.into(), &"needs NAT".into())
    );
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let made = oxtables(&["completions", shell], "");
        assert!(
            made.status.success() && text(&made.stdout).contains("rename-chain"),
            "{shell}"
        );
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    std::fs::create_dir_all(&directory).unwrap();
    let made = oxtables(&["man", directory.to_str().unwrap()], "");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let page = std::fs::read_to_string(directory.join("oxtables-load.8")).unwrap();
    assert!(page.contains(".TH") && page.contains("noflush"));
    assert!(directory.join("oxtables.8").exists());
}

#[test]
fn without_the_module_it_says_so_and_mistakes_are_told_first() {
    if Path::new("/sys/module/oxtables").exists() {
        return;
    }
    for arguments in [
        &["save"][..],
        &["list"],
        &["status"],
        &["-4", "load", "-"],
        &["add", "INPUT", "-j", "DROP"],
    ] {
        let said = oxtables(arguments, GOOD);
        assert_eq!(said.status.code(), Some(1), "{arguments:?}");
        assert!(
            text(&said.stderr).contains("module is not loaded"),
            "{}",
            text(&said.stderr)
        );
    }
    let said = oxtables(&["add", "INPUT", "-p", "tcp", "--dport", "a b"], "");
    assert!(
        text(&said.stderr).contains("command line:1:25"),
        "{}",
        text(&said.stderr)
    );
}
