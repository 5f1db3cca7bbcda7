//! What a program has written and the peer has not acknowledged, in one piece.

/// Memory that an empty buffer keeps, in bytes.
const KEPT: usize = 4_096;

/// Bytes in order. Taking from the front costs nothing until half of the memory is unused.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    bytes: Vec<u8>,
    /// Bytes at the front that are gone already.
    gone: usize,
}

impl SendBuffer {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.gone
    }

    /// `len` bytes from `offset` on; fewer where there are fewer.
    pub(crate) fn slice(&self, offset: usize, len: usize) -> &[u8] {
        let start = (self.gone + offset).min(self.bytes.len());
        let end = (start + len).min(self.bytes.len());
        &self.bytes[start..end]
    }

    pub(crate) fn push(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    /// Forgets bytes at the front.
    pub(crate) fn consume(&mut self, len: usize) {
        self.gone = (self.gone + len).min(self.bytes.len());
        if self.gone == self.bytes.len() {
            // At rest it holds little memory.
            match self.bytes.capacity() {
                ..=KEPT => self.bytes.clear(),
                _ => self.bytes = Vec::new(),
            }
            self.gone = 0;
        } else if self.gone * 2 >= self.bytes.len() {
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
    }

    /// Forgets what lies behind the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.gone + len);
    }

    /// Forgets everything, and the memory.
    pub(crate) fn clear(&mut self) {
        *self = SendBuffer::default();
    }

    /// Memory that it takes up, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_queue_of_bytes(steps in prop::collection::vec((0_usize..300, 0_usize..300), 0..50)) {
            let (mut buffer, mut model, mut next) = (SendBuffer::default(), Vec::new(), 0_u8);
            for (push, take) in steps {
                let data: Vec<u8> = (0..push).map(|_| { next = next.wrapping_add(1); next }).collect();
                buffer.push(&data);
                model.extend(data);
                buffer.consume(take);
                model.drain(..take.min(model.len()));
                prop_assert_eq!(buffer.slice(0, usize::MAX / 2), &model[..]);
                prop_assert_eq!(buffer.len(), model.len());
                prop_assert!(buffer.bytes.len() <= 2 * model.len());
            }
        }
    }
}
