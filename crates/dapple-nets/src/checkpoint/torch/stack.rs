//! The stack machine of a pickle: its source, its stack and its memo.

use super::value::{Id, Value};
use std::collections::HashMap;
use std::io::{BufRead, Read};

/// Greatest number of values, more than in any state dict; each takes at most some hundred bytes.
const MAX_VALUES: usize = 2_000_000;

/// Greatest length of a line of text in protocol 0.
const MAX_LINE: u64 = 4096;

pub(super) struct Machine<'a, R> {
    source: &'a mut R,
    pub values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
    /// Pairs copied from lists into dictionaries.
    pairs: usize,
}

impl<'a, R: BufRead> Machine<'a, R> {
    pub fn new(source: &'a mut R) -> Self {
        let (values, stack, marks) = (Vec::new(), Vec::new(), Vec::new());
        Self { source, values, stack, marks, memo: HashMap::new(), pairs: 0 }
    }

    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(|e| format!("the pickle ends early: {e}"))?;
        Ok(bytes)
    }

    /// Reads `len` bytes. Memory grows with the bytes present, not with the declared length.
    fn run(&mut self, len: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = self.source.take(len).read_to_end(&mut bytes);
        read.map_err(|e| e.to_string())?;
        if bytes.len() as u64 == len { Ok(bytes) } else { Err("the pickle ends early".into()) }
    }

    /// A line of text, without its end.
    pub fn line(&mut self) -> Result<String, String> {
        let mut bytes = Vec::new();
        let mut limited = self.source.take(MAX_LINE);
        limited.read_until(b'\n', &mut bytes).map_err(|e| e.to_string())?;
        if bytes.pop() != Some(b'\n') {
            return Err("a line of text does not end".into());
        }
        String::from_utf8(bytes).map_err(|_| "a name is not UTF-8".into())
    }

    /// A slot of the memo as text.
    pub fn slot(&mut self) -> Result<usize, String> {
        self.line()?.parse().map_err(|_| "a slot of the memo is not a number".into())
    }

    /// A string; bytes that are none, as Python 2 writes them, are opaque.
    pub fn text(&mut self, len: u64) -> Result<(), String> {
        let bytes = self.run(len)?;
        self.push(String::from_utf8(bytes).map_or(Value::Other, Value::Text))
    }

    /// Bytes, which weights do not need.
    pub fn skip(&mut self, len: u64) -> Result<(), String> {
        let skipped = std::io::copy(&mut self.source.take(len), &mut std::io::sink());
        if skipped.map_err(|e| e.to_string())? < len {
            return Err("the pickle ends early".into());
        }
        self.push(Value::Other)
    }

    /// A long integer; one that does not fit is opaque.
    pub fn long(&mut self, len: u64) -> Result<(), String> {
        let bytes = self.run(len)?;
        if bytes.len() > 8 {
            return self.push(Value::Other);
        }
        let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [sign; 8];
        wide[..bytes.len()].copy_from_slice(&bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    pub fn push(&mut self, value: Value) -> Result<(), String> {
        if self.values.len() >= MAX_VALUES {
            return Err(format!("the pickle has more than {MAX_VALUES} values"));
        }
        self.values.push(value);
        self.push_again(self.values.len() - 1)
    }

    /// Puts a value on the stack that exists already.
    pub fn push_again(&mut self, id: Id) -> Result<(), String> {
        if self.stack.len() >= MAX_VALUES {
            return Err("the pickle's stack grows too high".into());
        }
        self.stack.push(id);
        Ok(())
    }

    pub fn top(&self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor..].last().copied().ok_or_else(|| "the pickle pops from an empty stack".into())
    }

    pub fn pop(&mut self) -> Result<Id, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    pub fn open_mark(&mut self) {
        self.marks.push(self.stack.len());
    }

    pub fn pop_mark(&mut self) -> Result<Vec<Id>, String> {
        let height = self.marks.pop().ok_or("the pickle closes a mark that it did not open")?;
        Ok(self.stack.split_off(height))
    }

    /// Appends to the list on the top. An object of an unknown class that is filled like a list becomes one.
    pub fn append(&mut self, new: Vec<Id>) -> Result<(), String> {
        let target = self.top()?;
        match &mut self.values[target] {
            Value::List(items) => items.extend(new),
            value @ Value::Object { .. } => *value = Value::List(new),
            _ => return Err("the pickle appends to something that is not a list".into()),
        }
        Ok(())
    }

    /// Sets items of the dictionary on the top. An object of an unknown class that is filled like one becomes one.
    pub fn set_items(&mut self, new: Vec<Id>) -> Result<(), String> {
        let target = self.top()?;
        let (pairs, odd) = new.as_chunks::<2>();
        if !odd.is_empty() {
            return Err("a key has no value".into());
        }
        let pairs = pairs.iter().map(|&[key, value]| (key, value));
        match &mut self.values[target] {
            Value::Dict(items) => items.extend(pairs),
            value @ Value::Object { .. } => *value = Value::Dict(pairs.collect()),
            _ => return Err("the pickle sets items of something that is not a dictionary".into()),
        }
        Ok(())
    }

    pub fn remember(&mut self, slot: usize) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(slot, top);
        Ok(())
    }

    pub fn remember_next(&mut self) -> Result<(), String> {
        self.remember(self.memo.len())
    }

    pub fn recall(&mut self, slot: usize) -> Result<(), String> {
        let id = *self.memo.get(&slot).ok_or("the pickle reads a memo that it did not write")?;
        self.push_again(id)
    }

    pub fn as_text(&self, id: Id) -> Result<&str, String> {
        match &self.values[id] {
            Value::Text(text) => Ok(text),
            _ => Err("a string is expected, but the value has another type".into()),
        }
    }

    /// The pairs of a list of pairs, as Python 2 writes an OrderedDict; none for anything else.
    pub fn pairs(&mut self, list: Id) -> Result<Vec<(Id, Id)>, String> {
        let Value::List(items) = &self.values[list] else { return Ok(Vec::new()) };
        self.pairs += items.len();
        if self.pairs > MAX_VALUES {
            return Err(format!("the pickle has more than {MAX_VALUES} pairs"));
        }
        let pair = |&item: &Id| match &self.values[item] {
            Value::List(pair) | Value::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err("an OrderedDict does not hold pairs".into()),
        };
        items.iter().map(pair).collect()
    }
}
