// SPDX-License-Identifier: GPL-2.0
//! Texts and what becomes of them: printed again, or refused at the right place.

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::Model;

use super::fixtures::{names, planned, printed, problem, problem_of, text};
use super::plan::{plan_edit, How};
use super::ruleset;
use crate::diagnostic::{Problem, Source};

/// Each pair was tried with iptables-legacy 1.8.9: what iptables-restore takes, and what iptables-save then
/// prints.
#[test]
fn rules_are_printed_as_iptables_prints_them() {
    for (rule, wanted) in [
        ("", ""),
        ("-j DROP", "-j DROP"),
        ("-s 0/0 -d any/0 -i + -p all -j chain", "-j chain"),
        ("! -s 0/0", "! -s 0.0.0.0/0"),
        ("-g chain -f", "-f -g chain"),
        ("-p 135 ! -f", "-p mobility-header ! -f"),
        ("-p 0x11", "-p udp"),
        ("-p 253", "-p 253"),
        ("! -p hip", "! -p 139"),
        ("-o eth+ -i lo -j RETURN", "-i lo -o eth+ -j RETURN"),
        ("-s 10/8 -d 1.2.3.4/255.0.255.0", "-s 10.0.0.0/8 -d 1.0.3.0/255.0.255.0"),
        ("-d 1.2.3.4,5.6.7.8 -i +", "-d 1.2.3.4/32 | -d 5.6.7.8/32"),
        ("--src 1.1.1.1 --dst 2.2.2.2 --proto tcp", "-s 1.1.1.1/32 -d 2.2.2.2/32 -p tcp"),
        ("-ptcp --dport=ssh", "-p tcp -m tcp --dport 22"),
        ("-p tcp --syn --dport www", "-p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN"),
        ("-p tcp -m tcp --dport 0:65535", "-p tcp -m tcp"),
        ("-p tcp --sport 5 -m tcp", "-p tcp -m tcp --sport 5 -m tcp"),
        // A beginning that no other known option has stands for the option.
        (
            "--prot tcp -m multiport --dport 80,443 --jum DROP",
            "-p tcp -m multiport --dports 80,443 -j DROP",
        ),
        ("-p tcp --dpo 80 --sy", "-p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN"),
        ("-p udp --dport 1024:", "-p udp -m udp --dport 1024:65535"),
        ("-p udp --dport 010", "-p udp -m udp --dport 10"),
        ("-p udp --dport 0x16 ! --sport :domain", "-p udp -m udp ! --sport 0:53 --dport 22"),
        (
            "-p tcp ! --tcp-flags ALL NONE ! --tcp-option 5",
            "-p tcp -m tcp ! --tcp-option 5 ! --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE",
        ),
        ("-p icmp --icmp-type any", "-p icmp -m icmp --icmp-type any"),
        ("-p icmp --icmp-type 3/1", "-p icmp -m icmp --icmp-type 3/1"),
        ("-p icmp ! --icmp-type redirect", "-p icmp -m icmp ! --icmp-type 5"),
        ("-p icmp --icmp-type host-unknown", "-p icmp -m icmp --icmp-type 3/7"),
        (
            "-p tcp -m multiport ! --destination-ports 1,2:3,ssh",
            "-p tcp -m multiport ! --dports 1,2:3,22",
        ),
        (
            "-m comment --comment it's -m comment --comment \"x\" -m comment --comment \"-j DROP\"",
            r#"-m comment --comment "it\'s" -m comment --comment x -m comment --comment "-j DROP""#,
        ),
        ("-m mark --mark 5/3 -j MARK --set-mark 6/3", "-m mark --mark 0x5/0x3 -j MARK --set-xmark 0x6/0x7"),
        ("-m mark ! --mark 1 -j MARK --and-mark 1", "-m mark ! --mark 0x1 -j MARK --set-xmark 0x0/0xfffffffe"),
        ("-j MARK --or-mark 2", "-j MARK --set-xmark 0x2/0x2"),
        ("-j MARK --xor-mark 2", "-j MARK --set-xmark 0x2/0x0"),
        ("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable"),
        ("-p tcp -j REJECT --reject-with tcp-rst", "-p tcp -j REJECT --reject-with tcp-reset"),
        ("-j REJECT --reject-with admin-prohib", "-j REJECT --reject-with icmp-admin-prohibited"),
        ("-j LOG --log-level warning", "-j LOG"),
        ("-p icmp --icmp-type 255 -j DROP", "-p icmp -m icmp --icmp-type any -j DROP"),
        ("-p icmp ! --icmp-type 255/3", "-p icmp -m icmp ! --icmp-type any"),
        (
            "-j LOG --log-uid --log-level debug --log-prefix \"a b\" --log-macdecode --log-tcp-sequence",
            "-j LOG --log-prefix \"a b\" --log-level 7 --log-tcp-sequence --log-uid --log-macdecode",
        ),
    ] {
        assert_eq!(printed(rule, Family::V4), wanted, "{rule}");
    }
    for (rule, wanted) in [
        (
            "-p icmpv6 --icmpv6-type ping -s fe80::/10 -d ::/0",
            "-s fe80::/10 -p ipv6-icmp -m icmp6 --icmpv6-type 128",
        ),
        (
            "-p icmpv6 --icmpv6-type 255",
            "-p ipv6-icmp -m icmp6 --icmpv6-type 255",
        ),
        (
            "-p icmpv6 -m icmp6 --icmpv6-type no-route",
            "-p ipv6-icmp -m icmp6 --icmpv6-type 1/0",
        ),
        ("-s fe80::1", "-s fe80::1/128"),
        ("-s fe80::1/ffff:0:ffff::", "-s fe80::/ffff:0:ffff::"),
        (
            "-j REJECT",
            "-j REJECT --reject-with icmp6-port-unreachable",
        ),
        (
            "-j REJECT --reject-with no-route",
            "-j REJECT --reject-with icmp6-no-route",
        ),
    ] {
        assert_eq!(printed(rule, Family::V6), wanted, "{rule}");
    }
}

#[test]
fn lists_of_addresses_make_a_bounded_number_of_rules() {
    let list = |count: u16| {
        let addresses: Vec<_> = (0..count)
            .map(|n| format!("10.0.{}.{}", n >> 8, n & 255))
            .collect();
        addresses.join(",")
    };
    let (problem, _) = problem_of(&format!("-s {} -d {}", list(257), list(256)), Family::V4);
    assert_eq!(problem.message, "the line stands for 65792 rules");
}

#[test]
fn errors_are_shown_where_they_are_and_say_what_was_meant() {
    for (rule, message, blamed, help) in [
        ("-p tcp --dprot 22", "unknown option `--dprot`", "--dprot", "did you mean `--dport`?"),
        ("--sorce 1.1.1.1", "unknown option `--sorce`", "--sorce", "did you mean `--source`?"),
        ("--dport 22", "unknown option `--dport`", "--dport", "`-p tcp` or `-m tcp` comes before it"),
        ("--log-prefix x", "unknown option `--log-prefix`", "--log-prefix", "`-j LOG` comes before it"),
        ("-m mrak", "unknown match `mrak`", "mrak", "did you mean `mark`?"),
        ("-m osf --genre Linux", "match `osf` is not supported yet", "osf", ""),
        ("-j MASQUERADE", "target `MASQUERADE` is not supported yet", "MASQUERADE", ""),
        ("-j SNAT --to 1.2.3.4", "target `SNAT` is not supported yet", "SNAT", ""),
        ("-p tcp -j TCPMSS --clamp-mss-to-pmtu", "target `TCPMSS` is not supported yet", "TCPMSS", ""),
        ("-m icmp6", "match `icmp6` is for IPv6 only", "icmp6", ""),
        ("-j DORP", "no chain and no target is called `DORP`", "DORP", "did you mean `DROP`?"),
        ("-j cahin", "no chain and no target is called `cahin`", "cahin", "did you mean `chain`?"),
        ("-g DROP", "`DROP` is a target", "DROP", "write `-j DROP`"),
        ("-j OUTPUT", "a rule can't lead to a built-in chain", "OUTPUT", ""),
        ("-i averylonginterface", "interface name is too long", "averylonginterface", ""),
        ("-i a/b", "`a/b` can't be an interface", "a/b", ""),
        ("-o eth0", "packets have no output interface here", "-o eth0", ""),
        ("-p tcp --dport 9:1", "range is reversed", "9:1", "write `1:9`"),
        ("-p tcp --dport 65536", "there is no port 65536", "65536", ""),
        ("-p tcp --dport shh", "no service is called `shh`", "shh", "did you mean `ssh`?"),
        ("-s 1.2.3.4/33", "prefix of 33 bits is too long", "33", ""),
        ("-s 1.1.1.1,::1", "IPv6 address in a rule for IPv4", "::1", "in a file, lines `family ipv6` begin the tables of the other family; on the command line, -6 does"),
        ("-p tpc", "unknown protocol `tpc`", "tpc", "did you mean `tcp`?"),
        ("-p 256", "`256` is not a protocol", "256", ""),
        ("-p tcp --dport ! 22", "`!` stands before the option, not after it", "!", "write `! --dport PORT[:PORT]`"),
        ("-p ! tcp", "`!` stands before the option, not after it", "!", "write `! -p PROTOCOL`"),
        ("! -j DROP", "`!` can't stand before `-j`", "! -j", ""),
        ("! ! -s 1.1.1.1", "`!` stands here twice", "! !", ""),
        ("-s 1.1.1.1 !", "nothing follows `!`", "!", ""),
        ("! -s 1.1.1.1,2.2.2.2", "`!` can't stand before a list of addresses", "! -s 1.1.1.1,2.2.2.2", "a list makes a rule for each address, so that no packet could match none of them"),
        ("-p tcp --dport -j DROP", "`--dport` needs a value", "--dport -j", ""),
        ("-p tcp --dport", "`--dport` needs a value", "--dport", ""),
        ("-p tcp --syn=1", "`--syn` takes no value", "1", ""),
        ("-p tcp --syn --syn", "`--syn` is given twice", "--syn", ""),
        ("-s 1.1.1.1 -s 2.2.2.2", "`-s` is given twice", "-s 2.2.2.2", ""),
        ("-p tcp --syn --tcp-flags ALL SYN", "`--syn` and `--tcp-flags` exclude each other", "--syn", ""),
        ("-p tcp --tcp-flags SYN,AKC SYN", "no TCP flag is called `AKC`", "AKC", "did you mean `ACK`?"),
        ("-p tcp --tcp-option 0", "TCP option 0 only ends a list", "--tcp-option", ""),
        ("-m tcp --dport 1", "the tcp match needs -p tcp", "tcp", ""),
        ("-p icmp --icmp-type pnig", "no ICMP message is called `pnig`", "pnig", "did you mean `ping`?"),
        ("-p icmp -m icmp", "`icmp` needs an option", "icmp", ""),
        ("-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15:16", "too many ports for one list", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15:16", "split the list over several rules"),
        ("-j MARK --set-mark 1 --or-mark 2", "`--set-mark` and `--or-mark` exclude each other", "--or-mark 2", ""),
        ("-j LOG --log-level debgu", "no log level is called `debgu`", "debgu", "did you mean `debug`?"),
        ("-j LOG --log-prefix \"123456789 123456789 123456789 \"", "log prefix is too long", "\"123456789 123456789 123456789 \"", ""),
        ("-j REJECT --reject-with tcp-reset", "REJECT with tcp-reset needs -p tcp", "REJECT", ""),
        ("-j REJECT --reject-with icmp-prot-unreachable", "REJECT has no answer `icmp-prot-unreachable` for IPv4", "icmp-prot-unreachable", "did you mean `icmp-proto-unreachable`?"),
        ("-j DROP -g chain", "a rule has one target", "-g chain", ""),
        ("DROP", "`DROP` is not an option", "DROP", ""),
        ("-x", "unknown option `-x`", "-x", ""),
        ("-p tcp --tcp 1", "unknown option `--tcp`", "--tcp", ""),
        ("-s example.com", "`example.com` is not an address", "example.com", "names of hosts are not looked up: a ruleset must load without a network, and mean the same every time; write the address"),
    ] {
        let (problem, piece) = problem_of(rule, Family::V4);
        assert_eq!(problem.message, message, "{rule}");
        assert_eq!(piece, blamed, "{rule}");
        assert_eq!(problem.help.unwrap_or_default(), help, "{rule}");
        assert_eq!(problem.span.line, 2, "{rule}");
    }
}

#[test]
fn what_iptables_has_beside_is_refused_with_the_reason() {
    for (rule, why) in [
        (
            "-m osf --genre Linux",
            "needs fingerprints of operating systems",
        ),
        ("-j MASQUERADE", "needs NAT"),
        (
            "-p tcp -j TCPMSS --clamp-mss-to-pmtu",
            "needs packet mangling",
        ),
    ] {
        assert_eq!(problem_of(rule, Family::V4).0.label, why, "{rule}");
    }
}

#[test]
fn files_that_make_no_sense_are_refused_where_they_do_not() {
    for (file, message, blamed) in [
        ("-A INPUT\n", "the line belongs to no table", "-A INPUT"),
        ("*filter\n", "table `filter` has no end", "*filter"),
        ("COMMIT\n", "no table is open", "COMMIT"),
        (
            "*filter\nCOMMIT now\n",
            "nothing more can stand here",
            "now",
        ),
        (
            "*filter\n*filter\nCOMMIT\n",
            "table `filter` is still open",
            "*filter",
        ),
        ("*filtr\nCOMMIT\n", "unknown table `filtr`", "*filtr"),
        ("*nat\nCOMMIT\n", "table `nat` is not supported yet", "*nat"),
        (
            "*filter\nCOMMIT\n*filter\nCOMMIT\n",
            "table `filter` comes twice",
            "*filter",
        ),
        (
            "*filter\n:INPUT DORP\nCOMMIT\n",
            "`DORP` can't be a policy",
            "DORP",
        ),
        (
            "*filter\n:a DROP\nCOMMIT\n",
            "table `filter` has no chain `a`",
            "a",
        ),
        (
            "*filter\n:a -\n:a -\nCOMMIT\n",
            "a chain of that name is there already",
            "-",
        ),
        (
            "*filter\n:LOG -\nCOMMIT\n",
            "this can't be the name of a chain or table",
            "-",
        ),
        (
            "*filter\n:abcdefghijklmnopqrstuvwxyz123 -\nCOMMIT\n",
            "name of a chain is too long",
            "abcdefghijklmnopqrstuvwxyz123",
        ),
        (
            "*filter\n:INPUT DROP [1]\nCOMMIT\n",
            "`[1]` are not counters",
            "[1]",
        ),
        (
            "*filter\n[1:x] -A INPUT\nCOMMIT\n",
            "`[1:x]` are not counters",
            "[1:x]",
        ),
        (
            "*filter\n-A INPTU -j DROP\nCOMMIT\n",
            "table `filter` has no chain `INPTU`",
            "INPTU",
        ),
        (
            "*filter\n-D INPUT 1\nCOMMIT\n",
            "chain `INPUT` has no rule of that number",
            "1",
        ),
        (
            "*filter\n-D INPUT -j DROP\nCOMMIT\n",
            "chain `INPUT` has no such rule",
            "-D INPUT -j DROP",
        ),
        (
            "*filter\n-I INPUT 2 -j DROP\nCOMMIT\n",
            "chain `INPUT` has no rule of that number",
            "2",
        ),
        (
            "*filter\n:a -\n:b -\n-A a -j b\n-A b -g a\nCOMMIT\n",
            "chains lead in a circle",
            "a",
        ),
        (
            "*filter\n-Z\nCOMMIT\n",
            "counters are not zeroed by a ruleset",
            "-Z",
        ),
        ("*filter\nCOMIT\n", "`COMIT` begins no line", "COMIT"),
        ("family ipv6\n", "the file is to be read as IPv4", "ipv6"),
        (
            "*edge hooks=INPT place=1\nCOMMIT\n",
            "unknown hook `INPT`",
            "INPT",
        ),
        (
            "*edge hooks=INPUT\nCOMMIT\n",
            "a table of one's own needs a place",
            "*edge hooks=INPUT",
        ),
        (
            "*nat hooks=INPUT place=1\nCOMMIT\n",
            "this can't be the name of a chain or table",
            "*nat hooks=INPUT place=1",
        ),
        (
            "*filter\n-A INPUT -m comment --comment \"a\nCOMMIT\n",
            "quote is not closed",
            "\"a",
        ),
    ] {
        let (problem, piece) = problem(file, Family::V4);
        assert_eq!((&*problem.message, &*piece), (message, blamed), "{file}");
    }
    // Nothing says which family the table is for.
    let base = Model::default();
    let problem = planned("*filter\nCOMMIT\n", None, &base, How::default()).unwrap_err();
    assert_eq!(
        problem.message,
        "it is not said which family the table is for"
    );
}

#[test]
fn chains_nest_as_deep_as_the_kernel_allows_and_no_deeper() {
    let file = |depth: usize| {
        let chains: String = (0..depth).map(|chain| format!(":c{chain} -\n")).collect();
        let jumps: String = (1..depth)
            .map(|chain| format!("-A c{} -j c{chain}\n", chain - 1))
            .collect();
        format!("*filter\n{chains}-A INPUT -j c0\n{jumps}COMMIT\n")
    };
    assert!(planned(
        &file(16),
        Some(Family::V4),
        &Model::default(),
        How::default()
    )
    .is_ok());
    let (problem, blamed) = problem(&file(17), Family::V4);
    assert_eq!(problem.message, "chains nest more than 16 deep");
    assert_eq!(blamed, "c0");
}

#[test]
fn all_errors_of_a_file_are_told_at_once() {
    let text = "*filter\n-A INPUT -j DROP -x\n-A INPUT -s x\n-A INPUT\nCOMMIT\n";
    let problems = ruleset::parse(&Source::new("", text), &names(), Some(Family::V4)).unwrap_err();
    let lines: Vec<_> = problems.iter().map(|problem| problem.span.line).collect();
    assert_eq!(lines, [1, 2]);
}

const BOTH: &str = "\
# oxtables 0.1.0
family ipv4
*edge hooks=PREROUTING,INPUT place=-50
:PREROUTING ACCEPT [0:0]
:INPUT DROP [7:8]
[1:2] -A PREROUTING -s 10.0.0.0/8 -j DROP
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:a - [0:0]
[0:0] -A INPUT -j a
[18446744073709551615:5] -A a -m comment --comment \"\\\"\"
COMMIT
family ipv6
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
[3:4] -A INPUT -s fd00::/8 -j ACCEPT
COMMIT
";

#[test]
fn a_file_of_both_families_and_an_own_table_is_printed_as_it_was() {
    let how = How {
        keep: false,
        counters: true,
    };
    let plan = planned(BOTH, None, &Model::default(), how).unwrap();
    assert_eq!(text(&plan.result, None, true), BOTH);
    // Without being asked for, counters in the file are not taken over.
    let plan = planned(BOTH, None, &Model::default(), How::default()).unwrap();
    assert!(text(&plan.result, None, true).contains("[0:0] -A a"));
    assert!(text(&plan.result, None, true).contains(":INPUT DROP [0:0]"));
}

/// What is in force after a file is loaded on top of [`BOTH`].
fn after(file: &str, keep: bool) -> Result<String, Problem> {
    let base = planned(BOTH, None, &Model::default(), How::default())
        .unwrap()
        .result;
    let how = How {
        keep,
        counters: false,
    };
    let plan = planned(file, Some(Family::V4), &base, how)?;
    Ok(text(&plan.result, Some(Family::V4), false))
}

#[test]
fn loading_replaces_the_tables_that_the_file_names_and_no_others() {
    let text = after("*filter\n-A OUTPUT -j DROP\nCOMMIT\n", false).unwrap();
    assert!(text.contains("-A PREROUTING -s 10.0.0.0/8 -j DROP"));
    assert!(text.contains("-A OUTPUT -j DROP"));
    assert!(!text.contains(":a -"));
}

#[test]
fn noflush_keeps_what_is_there_but_for_declared_chains() {
    let text = after("*filter\n-A INPUT -j DROP\nCOMMIT\n", true).unwrap();
    assert!(
        text.contains("-A INPUT -j a\n-A INPUT -j DROP\n-A a "),
        "{text}"
    );
    // As with iptables-restore, a chain that is declared is emptied.
    let text = after("*filter\n:a - [0:0]\n:b - [0:0]\n-A a -j b\nCOMMIT\n", true).unwrap();
    assert!(text.contains("-A INPUT -j a\n-A a -j b\nCOMMIT"), "{text}");
    let text = after("*edge\n-I INPUT -j ACCEPT\nCOMMIT\n", true).unwrap();
    assert!(text.contains("-A INPUT -j ACCEPT"));
    let problem = after("*edge hooks=INPUT place=1\nCOMMIT\n", true).unwrap_err();
    assert_eq!(
        problem.message,
        "table `edge` is there with other hooks or another place"
    );
}

/// The rules of INPUT after commands on chains that are empty at first.
fn edited(commands: &[&str]) -> Result<String, Problem> {
    let mut model = Model::default();
    for command in commands {
        let source = Source::new("test", *command);
        let statements = ruleset::parse_command(&source, &names(), Family::V4)?;
        let table = oxtables_engine::engine::text::Name::literal("filter");
        model = plan_edit(Family::V4, table, statements, &model)?.result;
    }
    let text = text(&model, Some(Family::V4), false);
    let lines = text
        .lines()
        .filter(|line| line.starts_with("-A") || line.ends_with("- [0:0]"));
    Ok(lines.collect::<Vec<_>>().join("; "))
}

#[test]
fn commands_change_what_iptables_would() {
    for (commands, wanted) in [
        (&["-A INPUT -j DROP"][..], "-A INPUT -j DROP"),
        (
            &["-A INPUT -j DROP", "-I INPUT -j ACCEPT"],
            "-A INPUT -j ACCEPT; -A INPUT -j DROP",
        ),
        (
            &["-A INPUT -j DROP", "-I INPUT 2 -j ACCEPT"],
            "-A INPUT -j DROP; -A INPUT -j ACCEPT",
        ),
        (
            &["-A INPUT -j DROP", "-R INPUT 1 -j ACCEPT"],
            "-A INPUT -j ACCEPT",
        ),
        (&["-A INPUT -j DROP", "-D INPUT -j DROP"], ""),
        (
            &["-A INPUT -j DROP", "-A INPUT -f", "-D INPUT 1"],
            "-A INPUT -f",
        ),
        (
            &["-A INPUT -s 1.1.1.1,2.2.2.2", "-D INPUT -s 1.1.1.1,2.2.2.2"],
            "",
        ),
        (
            &["-I INPUT -s 1.1.1.1,2.2.2.2"],
            "-A INPUT -s 2.2.2.2/32; -A INPUT -s 1.1.1.1/32",
        ),
        (
            &["-N a", "-A INPUT -j a", "-E a b"],
            ":b - [0:0]; -A INPUT -j b",
        ),
        (&["-N a", "-N b", "-X"], ""),
        (
            &["-N a", "-A a -j DROP", "-A INPUT -j DROP", "-F"],
            ":a - [0:0]",
        ),
        (
            &[
                "-A INPUT -p tcp --dport ssh -j DROP",
                "-D INPUT -p tcp -m tcp --dport 22 -j DROP",
            ],
            "",
        ),
    ] {
        assert_eq!(edited(commands).unwrap(), wanted, "{commands:?}");
    }
    for (commands, message) in [
        (&["-X INPUT"][..], "built-in chains stay as they are"),
        (
            &["-N a", "-A INPUT -j a", "-X a"],
            "a rule jumps to the chain",
        ),
        (&["-N a", "-A a", "-X a"], "chain still has rules"),
        (
            &["-N a", "-E a LOG"],
            "this can't be the name of a chain or table",
        ),
        (&["-N a", "-P a DROP"], "only built-in chains have a policy"),
        (&["-P INPUT REJECT"], "`REJECT` can't be a policy"),
        (
            &["-R INPUT 1 -s 1.1.1.1,2.2.2.2"],
            "one rule can't be replaced by several",
        ),
        (&["-R INPUT -j DROP"], "the command is not complete"),
        (
            &["-D INPUT 1 -j DROP"],
            "both a number and a rule are given",
        ),
        (&["-A INPUT -F"], "a line has one command"),
        (&["-N a -j DROP"], "this command takes no rule"),
        (&["-D INPUT 0"], "chain `INPUT` has no rule of that number"),
        (&["-A INPUT -6 -j DROP"], "the rule is for the other family"),
    ] {
        assert_eq!(
            edited(commands).unwrap_err().message,
            message,
            "{commands:?}"
        );
    }
}

#[test]
fn lines_for_the_other_family_are_skipped() {
    assert_eq!(printed("-j DROP -6", Family::V4), "");
    assert_eq!(printed("-j DROP -4", Family::V4), "-j DROP");
    // What follows may be what only the other family has.
    assert_eq!(printed("-6 -s fd00::/8 -j DROP", Family::V4), "");
}

#[test]
fn a_saved_ruleset_of_one_family_is_what_iptables_restore_takes() {
    let plan = planned(BOTH, None, &Model::default(), How::default()).unwrap();
    let text = text(&plan.result, Some(Family::V6), false);
    assert!(text.starts_with("# oxtables 0.1.0\n*filter\n:INPUT"));
    assert!(!text.contains("family"));
}
