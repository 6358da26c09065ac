// SPDX-License-Identifier: GPL-2.0
//! SipHash-2-4 (J.-P. Aumasson and D. J. Bernstein, 2012): a hash that nobody can make collide who does not know
//! its key.

/// A hash in the making, of words of 64 bits.
#[derive(Clone, Copy)]
pub struct SipHash {
    state: [u64; 4],
    words: u64,
}

impl SipHash {
    /// The hash of nothing yet.
    pub fn new([k0, k1]: [u64; 2]) -> Self {
        let state = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        Self { state, words: 0 }
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.state;
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32);
        c = c.wrapping_add(b);
        a = a.wrapping_add(d);
        b = b.rotate_left(17) ^ c;
        d = d.rotate_left(21) ^ a;
        c = c.rotate_left(32);
        self.state = [a, b, c, d];
    }

    fn absorb(&mut self, word: u64) {
        let [.., d] = &mut self.state;
        *d ^= word;
        self.round();
        self.round();
        let [a, ..] = &mut self.state;
        *a ^= word;
    }

    /// Adds a word.
    pub fn word(&mut self, word: u64) {
        self.absorb(word);
        self.words = self.words.wrapping_add(1);
    }

    /// Adds bytes, as words of which the last is filled up with zeros.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.word(u64::from_le_bytes(word));
        }
    }

    /// The hash.
    pub fn finish(mut self) -> u64 {
        // The length in bytes, as far as a byte holds it, is the end of the last word.
        self.absorb(self.words << 59);
        let [_, _, c, _] = &mut self.state;
        *c ^= 0xff;
        for _ in 0..4 {
            self.round();
        }
        let [a, b, c, d] = self.state;
        a ^ b ^ c ^ d
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_siphash))]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_reference() {
        // The key is the bytes 0 to 15, the input the bytes from 0 on (vectors.h of the authors).
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let mut hash = SipHash::new(key);
        assert_eq!(hash.finish(), 0x726f_db47_dd0e_0e31);
        hash.word(key[0]);
        assert_eq!(hash.finish(), 0x93f5_f579_9a93_2462);
        hash.bytes(&[8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(hash.finish(), 0x3f2a_cc7f_57c2_9bdb);
    }
}
