// SPDX-License-Identifier: GPL-2.0
//! `-m sctp`

use oxtables_engine::engine::packet::{protocol, Family};
use oxtables_engine::engine::rules::matches::{
    AllChunkFlags, ChunkFlags, ChunkMatch, ChunkTypes, Chunks, Sctp,
};
use oxtables_engine::uapi::field::Not;

use super::{numbers, ports, ranges, About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// Names for the ways in which a packet's chunks must agree with a list.
const WAYS: [(&str, ChunkMatch); 3] = [
    ("any", ChunkMatch::Any),
    ("all", ChunkMatch::All),
    ("only", ChunkMatch::Only),
];

/// Letters and bits of flags, from the highest bit on, which is the order that they are printed in.
type Letters = &'static [(char, u8)];

/// The flags of chunks that carry data.
const DATA_FLAGS: Letters = &[('I', 0x08), ('U', 0x04), ('B', 0x02), ('E', 0x01)];
/// Those of chunks that end an association.
const ABORT_FLAGS: Letters = &[('T', 0x01)];

/// The chunks that have names, and their flags.
const CHUNKS: [(&str, u8, Letters); 22] = [
    ("DATA", 0, DATA_FLAGS),
    ("INIT", 1, &[]),
    ("INIT_ACK", 2, &[]),
    ("SACK", 3, &[]),
    ("HEARTBEAT", 4, &[]),
    ("HEARTBEAT_ACK", 5, &[]),
    ("ABORT", 6, ABORT_FLAGS),
    ("SHUTDOWN", 7, &[]),
    ("SHUTDOWN_ACK", 8, &[]),
    ("ERROR", 9, &[]),
    ("COOKIE_ECHO", 10, &[]),
    ("COOKIE_ACK", 11, &[]),
    ("ECN_ECNE", 12, &[]),
    ("ECN_CWR", 13, &[]),
    ("SHUTDOWN_COMPLETE", 14, ABORT_FLAGS),
    ("I_DATA", 64, DATA_FLAGS),
    ("ASCONF_ACK", 128, &[]),
    ("RE_CONFIG", 130, &[]),
    ("PAD", 132, &[]),
    ("FORWARD_TSN", 192, &[]),
    ("ASCONF", 193, &[]),
    ("I_FORWARD_TSN", 194, &[]),
];

/// The lists of every chunk and of none.
const ALL: &str = "ALL";
const NONE: &str = "NONE";

fn letters(flags: Letters) -> String {
    flags.iter().map(|(letter, _)| *letter).collect()
}

fn names() -> Vec<String> {
    let names = CHUNKS.iter().map(|(name, _, flags)| {
        if flags.is_empty() {
            (*name).to_owned()
        } else {
            format!("{name}:{}", letters(flags))
        }
    });
    names.chain([ALL.to_owned(), NONE.to_owned()]).collect()
}

fn way(token: &Token) -> Result<ChunkMatch, Problem> {
    let name = token.lossy();
    let known = WAYS.iter();
    let found = known
        .clone()
        .find(|(known, _)| known.eq_ignore_ascii_case(&name));
    found.map(|(_, how)| *how).ok_or_else(|| {
        Problem::new(
            token.span,
            format!("`{name}` is not a way for chunks to match"),
        )
        .expected("any, all or only")
        .suggest(&name, known.map(|(name, _)| *name))
    })
}

/// The chunk that a word names, and the flags that it has. A number stands for what has no name.
fn chunk(token: &Token) -> Result<(u8, Letters), Problem> {
    let name = token.lossy();
    if token.text.first().is_some_and(u8::is_ascii_digit) {
        let kind = numbers::number(token, u8::MAX.into(), "a type of chunk")?;
        let known = CHUNKS.iter().find(|(_, known, _)| *known == kind);
        return Ok((kind, known.map_or(&[], |(.., flags)| *flags)));
    }
    let mut known = CHUNKS.iter();
    match known.find(|(known, ..)| known.eq_ignore_ascii_case(&name)) {
        Some((_, kind, flags)) => Ok((*kind, *flags)),
        None => Err(
            Problem::new(token.span, format!("no SCTP chunk is called `{name}`"))
                .expected("chunks with a comma between, or ALL or NONE alone")
                .suggest(&name, CHUNKS.iter().map(|(name, ..)| *name)),
        ),
    }
}

/// What the letters ask of the flags of a chunk: a capital that the flag is set, another that it is not.
fn chunk_flags(kind: u8, token: &Token, known: Letters) -> Result<ChunkFlags, Problem> {
    let text = token.lossy();
    let wrong = |message: String| {
        let problem = Problem::new(token.span, message);
        if known.is_empty() {
            problem.help("leave the colon and what follows it out")
        } else {
            let [capital, small] = [letters(known), letters(known).to_lowercase()];
            problem.expected(format!(
                "{capital} for flags that are set, {small} for others"
            ))
        }
    };
    if text.is_empty() {
        return Err(wrong("no flags follow the colon".to_owned()));
    }
    let mut flags = ChunkFlags {
        kind,
        ..ChunkFlags::default()
    };
    for letter in text.chars() {
        let found = known
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(&letter));
        let Some((_, flag)) = found else {
            return Err(wrong(format!("the chunk has no flag `{letter}`")));
        };
        if flags.mask & flag != 0 {
            return Err(wrong(format!("flag `{letter}` is asked for twice")));
        }
        flags.mask |= flag;
        if letter.is_ascii_uppercase() {
            flags.set |= flag;
        }
    }
    Ok(flags)
}

fn chunks(how: &Token, list: &Token) -> Result<Chunks, Problem> {
    let mut chunks = Chunks {
        how: way(how)?,
        types: ChunkTypes::default(),
        flags: AllChunkFlags::default(),
    };
    let whole = list.lossy();
    if whole.eq_ignore_ascii_case(NONE) {
        return Ok(chunks);
    }
    if whole.eq_ignore_ascii_case(ALL) {
        chunks.types = ChunkTypes::ALL;
        return Ok(chunks);
    }
    for part in list.split(b',') {
        let (name, letters) = match part.split_once(b':') {
            Some((name, letters)) => (name, Some(letters)),
            None => (part.clone(), None),
        };
        let (kind, known) = chunk(&name)?;
        chunks.types.insert(kind);
        if let Some(letters) = letters {
            let flags = chunk_flags(kind, &letters, known)?;
            chunks.flags.insert(flags).ok_or_else(|| {
                let message = format!("flags of `{}` are asked for twice", name.lossy());
                Problem::new(letters.span, message)
            })?;
        }
    }
    Ok(chunks)
}

fn chunk_text(kind: u8, flags: &AllChunkFlags) -> String {
    let known = CHUNKS.iter().find(|(_, known, _)| *known == kind);
    let (name, letters) = match known {
        Some((name, _, letters)) => ((*name).to_owned(), *letters),
        None => (kind.to_string(), &[][..]),
    };
    let Some(asked) = flags.iter().find(|asked| asked.kind == kind) else {
        return name;
    };
    let looked_at = letters.iter().filter(|(_, flag)| asked.mask & flag != 0);
    let letters = looked_at.map(|(letter, flag)| {
        if asked.set & flag != 0 {
            *letter
        } else {
            letter.to_ascii_lowercase()
        }
    });
    format!("{name}:{}", letters.collect::<String>())
}

fn chunks_text(chunks: &Chunks) -> String {
    if chunks.types.is_empty() {
        return NONE.to_owned();
    }
    if chunks.types == ChunkTypes::ALL && chunks.flags.iter().next().is_none() {
        return ALL.to_owned();
    }
    let kinds = (0..=u8::MAX).filter(|kind| chunks.types.contains(*kind));
    let texts = kinds.map(|kind| chunk_text(kind, &chunks.flags));
    texts.collect::<Vec<_>>().join(",")
}

impl Extension for Sctp {
    const ABOUT: About = About {
        name: "sctp",
        summary: "ports and chunks of SCTP",
        implied_by: &[protocol::SCTP],
        options: &[
            ports::SOURCE,
            ports::DESTINATION,
            Opt::negatable(
                "chunk-types",
                &[],
                &["any|all|only", "CHUNK[:FLAGS][,...]"],
                "any or all of these chunks are there, or only these; a flag in capitals must be set",
            ),
        ],
        vocabularies: &[Vocabulary {
            title: "chunks and their flags",
            names,
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let chunks = options.get("chunk-types").map(|given| {
            let [how, list] = &*given.values else {
                return Err(Problem::new(given.span, "`--chunk-types` takes two words"));
            };
            Ok(Not {
                value: chunks(how, list)?,
                not: given.not,
            })
        });
        Ok(Self {
            source: ports::given(options, "sport")?,
            destination: ports::given(options, "dport")?,
            chunks: chunks.transpose()?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let chunks = self.chunks.as_ref().map(|Not { value, not }| {
            let way = WAYS.iter().find(|(_, how)| *how == value.how);
            let way = way.map_or("any", |(name, _)| *name);
            Printed::new("chunk-types", *not, way).and(chunks_text(value))
        });
        [
            ranges::print("sport", self.source),
            ranges::print("dport", self.destination),
            chunks,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        prints(
            Family::V4,
            &[
                (
                    "-p sctp --dport http ! --source-port 5:",
                    "-p sctp -m sctp ! --sport 5:65535 --dport 80",
                ),
                (
                    "-p 132 -m sctp --dport :",
                    "-p sctp -m sctp --dport 0:65535",
                ),
                (
                    "-p sctp --chunk-types any init,DATA:Be",
                    "-p sctp -m sctp --chunk-types any DATA:Be,INIT",
                ),
                (
                    "-p sctp ! --chunk-types ONLY Sack,data:eiUb,abort:t",
                    "-p sctp -m sctp ! --chunk-types only DATA:iUbe,SACK,ABORT:t",
                ),
                (
                    "-p sctp --chunk-types all asconf,pad,ASCONF_ACK,i_data:I",
                    "-p sctp -m sctp --chunk-types all I_DATA:I,ASCONF_ACK,PAD,ASCONF",
                ),
                (
                    "-p sctp --chunk-types any DATA:B,SACK,SACK,DATA:e",
                    "-p sctp -m sctp --chunk-types any DATA:Be,SACK",
                ),
                (
                    "-p sctp --chunk-types any all",
                    "-p sctp -m sctp --chunk-types any ALL",
                ),
                (
                    "-p sctp --chunk-types only NONE",
                    "-p sctp -m sctp --chunk-types only NONE",
                ),
                (
                    "-p sctp --chunk-types any 0x0:I,200,14:T",
                    "-p sctp -m sctp --chunk-types any DATA:I,SHUTDOWN_COMPLETE:T,200",
                ),
                ("-p sctp -m sctp", "-p sctp -m sctp"),
                (
                    "-p sctp -m multiport --dports 5,6",
                    "-p sctp -m multiport --dports 5,6",
                ),
            ],
        );
    }

    #[test]
    fn every_chunk_with_flags_can_be_said() {
        let every: Vec<_> = (0..=u8::MAX).map(|kind| kind.to_string()).collect();
        let every = every.join(",");
        prints(
            Family::V6,
            &[(
                &*format!("-p sctp --chunk-types any {every}"),
                "-p sctp -m sctp --chunk-types any ALL",
            )],
        );
        for (name, kind, flags) in CHUNKS {
            assert_eq!(names().contains(&name.to_owned()), flags.is_empty());
            for (_, flag) in flags {
                let mut all = AllChunkFlags::default();
                let [mask, set] = [*flag; 2];
                assert!(all.insert(ChunkFlags { kind, mask, set }).is_some());
            }
        }
    }

    #[test]
    fn wrong_rules() {
        refuses(
            Family::V6,
            &[
                (
                    "-p sctp --chunk-types none DATA",
                    "`none` is not a way for chunks to match",
                    "none",
                ),
                (
                    "-p sctp --chunk-types any DATA,INITACK",
                    "no SCTP chunk is called `INITACK`",
                    "INITACK",
                ),
                (
                    "-p sctp --chunk-types any DATA,ALL",
                    "no SCTP chunk is called `ALL`",
                    "ALL",
                ),
                (
                    "-p sctp --chunk-types any 256",
                    "`256` is not a type of chunk",
                    "256",
                ),
                (
                    "-p sctp --chunk-types any DATA:BT",
                    "the chunk has no flag `T`",
                    "BT",
                ),
                (
                    "-p sctp --chunk-types any DATA:Bb",
                    "flag `b` is asked for twice",
                    "Bb",
                ),
                (
                    "-p sctp --chunk-types any INIT:I",
                    "the chunk has no flag `I`",
                    "I",
                ),
                (
                    "-p sctp --chunk-types any DATA:",
                    "no flags follow the colon",
                    "",
                ),
                (
                    "-p sctp --chunk-types any DATA:B,SACK,DATA:bE",
                    "flags of `DATA` are asked for twice",
                    "bE",
                ),
                ("-p sctp --dport 2:1", "range is reversed", "2:1"),
                ("-m sctp", "the sctp match needs -p sctp", "sctp"),
                (
                    "-p tcp -m sctp --dport 5",
                    "the sctp match needs -p sctp",
                    "sctp",
                ),
            ],
        );
    }
}
