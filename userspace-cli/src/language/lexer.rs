// SPDX-License-Identifier: GPL-2.0
//! Words of a line, as iptables-restore splits it: at blanks, except inside of double quotes, where a
//! backslash makes the next character stand for itself.

use std::borrow::Cow;

use crate::diagnostic::{Problem, Span};

/// A word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The word without its quotes.
    pub text: Vec<u8>,
    /// Where it stands, with its quotes.
    pub span: Span,
    /// Where its letters begin, if they stand one after the other: quotes and backslashes among them move them.
    letters: Option<usize>,
}

impl Token {
    /// The word for messages and for names, all of which are UTF-8.
    pub fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    /// A piece of the word, in bytes of its text.
    pub fn part(&self, start: usize, end: usize) -> Self {
        Self {
            text: self.text.get(start..end).unwrap_or_default().to_vec(),
            // Where nobody knows where a letter is, the whole word is shown.
            span: self.letters.map_or(self.span, |letters| Span {
                line: self.span.line,
                start: letters + start,
                end: letters + end,
            }),
            letters: self.letters.map(|letters| letters + start),
        }
    }

    /// Adds the letter that stands at a place of the line.
    fn push(&mut self, byte: u8, at: usize) {
        if self.text.is_empty() {
            self.letters = Some(at);
        }
        self.letters = self
            .letters
            .filter(|letters| letters + self.text.len() == at);
        self.text.push(byte);
    }

    /// The pieces of the word between separators.
    pub fn split(&self, separator: u8) -> Vec<Self> {
        let mut start = 0;
        let mut parts = Vec::new();
        for piece in self.text.split(|byte| *byte == separator) {
            parts.push(self.part(start, start + piece.len()));
            start += piece.len() + 1;
        }
        parts
    }

    /// The word without blanks at its ends.
    pub fn trimmed(&self) -> Self {
        let start = self.text.len() - self.text.trim_ascii_start().len();
        self.part(start, self.text.trim_ascii_end().len().max(start))
    }

    /// The pieces before and after the first separator, if there is one.
    pub fn split_once(&self, separator: u8) -> Option<(Self, Self)> {
        let at = self.text.iter().position(|byte| *byte == separator)?;
        Some((self.part(0, at), self.part(at + 1, self.text.len())))
    }
}

/// The words of a line.
///
/// # Errors
///
/// An open quote, or a zero byte, which no name or comment can hold.
pub fn tokens(line: &[u8], number: usize) -> Result<Vec<Token>, Problem> {
    let at = |start, end| Span {
        line: number,
        start,
        end,
    };
    let mut tokens = Vec::new();
    let mut word: Option<Token> = None;
    let mut quote = None;
    let mut escaped = false;
    for (index, &byte) in line.iter().enumerate() {
        if byte == 0 {
            return Err(Problem::new(
                at(index, index + 1),
                "a ruleset can't hold zero bytes",
            ));
        }
        if quote.is_none() && matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c) {
            tokens.extend(word.take());
            continue;
        }
        let token = word.get_or_insert_with(|| Token {
            text: Vec::new(),
            span: at(index, index),
            letters: None,
        });
        token.span.end = index + 1;
        match byte {
            _ if escaped => {
                escaped = false;
                token.push(byte, index);
            }
            b'\\' if quote.is_some() => escaped = true,
            b'"' if quote.is_some() => quote = None,
            b'"' => quote = Some(index),
            _ => token.push(byte, index),
        }
    }
    if let Some(start) = quote {
        return Err(Problem::new(at(start, line.len()), "quote is not closed")
            .expected("a closing `\"` on the same line"));
    }
    tokens.extend(word);
    Ok(tokens)
}

/// Writes a word so that [`tokens`] reads it back, quoted where iptables-save quotes.
pub fn quote(word: &[u8], to: &mut Vec<u8>) {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    quote_unless(plain, word, to);
}

/// Writes a word that iptables-save never quotes, unless it could not be read back without.
pub fn quote_if_needed(word: &[u8], to: &mut Vec<u8>) {
    let plain = |byte: &u8| !matches!(byte, 0..=b' ' | b'"' | 0x7f);
    quote_unless(plain, word, to);
}

/// Writes a word that iptables-save quotes whatever it is.
pub fn quote_always(word: &[u8], to: &mut Vec<u8>) {
    quote_escaping(br#""\"#, word, to);
}

fn quote_unless(plain: impl Fn(&u8) -> bool, word: &[u8], to: &mut Vec<u8>) {
    if !word.is_empty() && word.iter().all(plain) {
        to.extend_from_slice(word);
    } else {
        quote_escaping(br#""\'"#, word, to);
    }
}

/// Writes a word in quotes, with a backslash before these characters.
fn quote_escaping(escaped: &[u8], word: &[u8], to: &mut Vec<u8>) {
    to.push(b'"');
    for &byte in word {
        if escaped.contains(&byte) {
            to.push(b'\\');
        }
        to.push(byte);
    }
    to.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        let tokens = tokens(line.as_bytes(), 0).unwrap();
        tokens.iter().map(|token| token.lossy().into()).collect()
    }

    #[test]
    fn words_are_split_as_iptables_restore_splits_them() {
        assert_eq!(words("-A  INPUT\t-j DROP\r"), ["-A", "INPUT", "-j", "DROP"]);
        assert_eq!(words(r#"x "a b" c"#), ["x", "a b", "c"]);
        assert_eq!(words(r#""a \"b\" \\ \'c\'""#), [r#"a "b" \ 'c'"#]);
        assert_eq!(words(r#"--comment="a b"c"#), ["--comment=a bc"]);
        assert_eq!(words(r#"a\b """#), [r"a\b", ""]);
        assert!(words("   ").is_empty());
    }

    #[test]
    fn an_open_quote_is_shown_where_it_opens() {
        let problem = tokens(br#"-A "x y"#, 3).unwrap_err();
        assert_eq!((problem.span.line, problem.span.start), (3, 3));
    }

    #[test]
    fn parts_keep_their_place() {
        let token = &tokens(b"-s 10.0.0.1,10.0.0.2", 0).unwrap()[1];
        let parts = token.split(b',');
        assert_eq!(parts[1].lossy(), "10.0.0.2");
        assert_eq!((parts[1].span.start, parts[1].span.end), (12, 20));
        for (line, span) in [
            (r#""a,bc""#, (3, 5)),
            (r#"a"",bc"#, (0, 6)),
            (r#""a,\"c""#, (0, 7)),
        ] {
            let token = &tokens(line.as_bytes(), 0).unwrap()[0];
            let part = &token.split(b',')[1];
            assert_eq!((part.span.start, part.span.end), span, "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(words in prop::collection::vec(
            prop::collection::vec(prop::num::u8::ANY.prop_filter("", |b| !matches!(b, 0 | b'\n')), 0..20),
            0..4,
        )) {
            let mut line = Vec::new();
            for word in &words {
                quote(word, &mut line);
                line.push(b' ');
                quote_if_needed(word, &mut line);
                line.push(b' ');
                quote_always(word, &mut line);
                line.push(b' ');
            }
            let read: Vec<_> = tokens(&line, 0).unwrap().into_iter().map(|token| token.text).collect();
            let expected: Vec<_> = words.iter().flat_map(|word| vec![word.clone(); 3]).collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn no_bytes_make_it_panic(line in prop::collection::vec(prop::num::u8::ANY, 0..80)) {
            if let Ok(tokens) = tokens(&line, 0) {
                for token in tokens {
                    prop_assert!(token.span.end <= line.len());
                    token.split(b',');
                }
            }
        }
    }
}
