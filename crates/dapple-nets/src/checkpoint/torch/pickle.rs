//! A parser of the pickles in state dicts.
//!
//! A pickle is a program for a stack machine that may call anything by its name. This one knows the opcodes that
//! Python's protocols 2 to 4 write for numbers, strings, lists, tuples and dictionaries, and calls nothing: the
//! few names that `torch.save` writes for tensors are understood as data, every other name is an error.

use super::value::{Id, Name, Pickle, Storage, Tensor, Value};
use std::collections::HashMap;
use std::io::{BufRead, Read};

/// Greatest number of values, more than in any state dict; each takes at most some hundred bytes.
const MAX_VALUES: usize = 2_000_000;

/// Greatest number of axes, more than those of any parameter. Many tensors can share a shape, and each copies it.
const MAX_AXES: usize = 8;

/// Greatest length of the key of a storage, which is copied likewise.
const MAX_KEY: usize = 64;

/// Reads one pickle, and leaves the source after its end.
pub(super) fn read(source: &mut impl BufRead) -> Result<Pickle, String> {
    let mut machine = Machine {
        source,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        pairs: 0,
    };
    loop {
        if let Some(root) = machine.step()? {
            return Ok(Pickle { values: machine.values, root });
        }
    }
}

struct Machine<'a, R> {
    source: &'a mut R,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
    /// Pairs copied from lists into dictionaries.
    pairs: usize,
}

impl<R: BufRead> Machine<'_, R> {
    /// Runs one instruction; returns the root at the end.
    fn step(&mut self) -> Result<Option<Id>, String> {
        let [opcode] = self.bytes()?;
        match opcode {
            // PROTO, FRAME.
            0x80 => drop(self.bytes::<1>()?),
            0x95 => drop(self.bytes::<8>()?),
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),

            // NONE, NEWTRUE, NEWFALSE, BINFLOAT.
            b'N' | 0x88 | 0x89 => self.push(Value::Other)?,
            b'G' => {
                self.bytes::<8>()?;
                self.push(Value::Other)?;
            }
            // BININT, BININT1, BININT2, LONG1.
            b'J' => {
                let v = i32::from_le_bytes(self.bytes()?);
                self.push(Value::Int(v.into()))?;
            }
            b'K' => {
                let [v] = self.bytes()?;
                self.push(Value::Int(v.into()))?;
            }
            b'M' => {
                let v = u16::from_le_bytes(self.bytes()?);
                self.push(Value::Int(v.into()))?;
            }
            0x8a => self.long()?,
            // BINUNICODE, SHORT_BINUNICODE; BINSTRING and SHORT_BINSTRING of Python 2.
            b'X' | b'T' => {
                let len = u32::from_le_bytes(self.bytes()?);
                self.text(len)?;
            }
            0x8c | b'U' => {
                let [len] = self.bytes()?;
                self.text(len.into())?;
            }

            // EMPTY_TUPLE, TUPLE1 to TUPLE3, TUPLE.
            b')' => self.push(Value::Tuple(Vec::new()))?,
            0x85..=0x87 => {
                let mut items = (0..=opcode - 0x85).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                self.push(Value::Tuple(items))?;
            }
            b't' => {
                let items = self.pop_mark()?;
                self.push(Value::Tuple(items))?;
            }
            // EMPTY_LIST, APPEND, APPENDS, EMPTY_DICT, SETITEM, SETITEMS.
            b']' => self.push(Value::List(Vec::new()))?,
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.append(items)?;
            }
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(items)?;
            }

            // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET.
            b'q' => {
                let [slot] = self.bytes()?;
                self.remember(slot.into())?;
            }
            b'r' => {
                let slot = u32::from_le_bytes(self.bytes()?);
                self.remember(slot as usize)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'h' => {
                let [slot] = self.bytes()?;
                self.recall(slot.into())?;
            }
            b'j' => {
                let slot = u32::from_le_bytes(self.bytes()?);
                self.recall(slot as usize)?;
            }

            // GLOBAL, STACK_GLOBAL, REDUCE, BINPERSID, BUILD.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.name(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (name, module) = (self.as_text(name)?.to_owned(), self.as_text(module)?.to_owned());
                self.name(&module, &name)?;
            }
            b'R' => self.reduce()?,
            b'Q' => self.storage()?,
            b'b' => {
                // Attributes of an OrderedDict, such as the layers' versions.
                self.pop()?;
                let target = self.top()?;
                if !matches!(self.values[target], Value::Dict(_)) {
                    return Err("an object that is not a dictionary has attributes".into());
                }
            }
            other => return Err(format!("opcode 0x{other:02x} does not occur in state dicts")),
        }
        Ok(None)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(|e| format!("the pickle ends early: {e}"))?;
        Ok(bytes)
    }

    /// Reads `len` bytes. Memory grows with the bytes present, not with the declared length.
    fn run(&mut self, len: u32) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = self.source.take(len.into()).read_to_end(&mut bytes);
        read.map_err(|e| e.to_string())?;
        if bytes.len() == len as usize { Ok(bytes) } else { Err("the pickle ends early".into()) }
    }

    fn line(&mut self) -> Result<String, String> {
        let mut bytes = Vec::new();
        let mut limited = self.source.take(256);
        limited.read_until(b'\n', &mut bytes).map_err(|e| e.to_string())?;
        if bytes.pop() != Some(b'\n') {
            return Err("a name does not end".into());
        }
        String::from_utf8(bytes).map_err(|_| "a name is not UTF-8".into())
    }

    fn text(&mut self, len: u32) -> Result<(), String> {
        let bytes = self.run(len)?;
        let text = String::from_utf8(bytes).map_err(|_| "a string is not UTF-8")?;
        self.push(Value::Text(text))
    }

    fn long(&mut self) -> Result<(), String> {
        let [len] = self.bytes()?;
        let bytes = self.run(len.into())?;
        if bytes.len() > 8 {
            return Err("an integer has more than 64 bits".into());
        }
        let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [sign; 8];
        wide[..bytes.len()].copy_from_slice(&bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        if self.values.len() >= MAX_VALUES {
            return Err(format!("the pickle has more than {MAX_VALUES} values"));
        }
        self.values.push(value);
        self.stack.push(self.values.len() - 1);
        Ok(())
    }

    fn top(&self) -> Result<Id, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack[floor..].last().copied().ok_or_else(|| "the pickle pops from an empty stack".into())
    }

    fn pop(&mut self) -> Result<Id, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, String> {
        let height = self.marks.pop().ok_or("the pickle closes a mark that it did not open")?;
        Ok(self.stack.split_off(height))
    }

    fn append(&mut self, new: Vec<Id>) -> Result<(), String> {
        let target = self.top()?;
        match &mut self.values[target] {
            Value::List(items) => items.extend(new),
            _ => return Err("the pickle appends to something that is not a list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, new: Vec<Id>) -> Result<(), String> {
        let target = self.top()?;
        let (pairs, odd) = new.as_chunks::<2>();
        match &mut self.values[target] {
            Value::Dict(items) if odd.is_empty() => items.extend(pairs.iter().map(|&[k, v]| (k, v))),
            Value::Dict(_) => return Err("a key has no value".into()),
            _ => return Err("the pickle sets items of something that is not a dictionary".into()),
        }
        Ok(())
    }

    fn remember(&mut self, slot: usize) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(slot, top);
        Ok(())
    }

    fn recall(&mut self, slot: usize) -> Result<(), String> {
        let id = *self.memo.get(&slot).ok_or("the pickle reads a memo that it did not write")?;
        if self.stack.len() >= MAX_VALUES {
            return Err("the pickle's stack grows too high".into());
        }
        self.stack.push(id);
        Ok(())
    }

    fn name(&mut self, module: &str, name: &str) -> Result<(), String> {
        self.push(Value::Name(Name::of(module, name)?))
    }

    /// Calls one of the known names.
    fn reduce(&mut self) -> Result<(), String> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Value::Tuple(arguments) = &self.values[arguments] else {
            return Err("the arguments of a call are not a tuple".into());
        };
        let Value::Name(name) = self.values[callee] else {
            return Err("the pickle calls something without a name".into());
        };
        match (name, &arguments[..]) {
            (Name::OrderedDict, []) => self.push(Value::Dict(Vec::new())),
            (Name::OrderedDict, &[pairs]) => {
                let dict = self.pairs(pairs)?;
                self.push(Value::Dict(dict))
            }
            (Name::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                if !matches!(self.values[storage], Value::Storage(_)) {
                    return Err("a tensor has no storage".into());
                }
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                let tensor = Tensor { storage, offset: self.size(offset)?, shape, strides };
                self.push(Value::Tensor(tensor))
            }
            (Name::RebuildParameter, &[inner, ..]) | (Name::Size, &[inner]) => {
                self.stack.push(inner);
                Ok(())
            }
            (name, arguments) => Err(format!("{name:?} is called with {} arguments", arguments.len())),
        }
    }

    /// Python 2 writes an OrderedDict as a list of pairs.
    fn pairs(&mut self, list: Id) -> Result<Vec<(Id, Id)>, String> {
        let Value::List(items) = &self.values[list] else {
            return Err("an OrderedDict does not hold a list".into());
        };
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

    /// A persistent id: `("storage", class, key, device, elements)`.
    fn storage(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let Value::Tuple(parts) = &self.values[id] else {
            return Err("a persistent id is not a tuple".into());
        };
        let (&[kind, class, key, _, len], view) =
            parts.split_first_chunk().ok_or("a storage is not complete")?;
        if self.as_text(kind)? != "storage" {
            return Err(format!("a persistent `{}` where a storage should be", self.as_text(kind)?));
        }
        let Value::Name(Name::Storage(dtype)) = self.values[class] else {
            return Err("a storage has no element type".into());
        };
        // Written until PyTorch 0.4 for storages that are a part of another one.
        if view.iter().any(|&view| !matches!(self.values[view], Value::Other)) {
            return Err(
                "a storage is a view of another one; save the state dict again with a newer PyTorch".into()
            );
        }
        let key = self.as_text(key)?;
        if key.len() > MAX_KEY {
            return Err("a storage's key is too long".into());
        }
        let storage = Storage { key: key.to_owned(), dtype, len: self.size(len)? };
        self.push(Value::Storage(storage))
    }

    fn as_text(&self, id: Id) -> Result<&str, String> {
        match &self.values[id] {
            Value::Text(text) => Ok(text),
            _ => Err("a string is expected, but the value has another type".into()),
        }
    }

    fn size(&self, id: Id) -> Result<usize, String> {
        match self.values[id] {
            Value::Int(v) => usize::try_from(v).map_err(|_| format!("a size is {v}")),
            _ => Err("a size is not an integer".into()),
        }
    }

    fn sizes(&self, id: Id) -> Result<Vec<usize>, String> {
        match &self.values[id] {
            Value::Tuple(items) if items.len() <= MAX_AXES => {
                items.iter().map(|&item| self.size(item)).collect()
            }
            Value::Tuple(items) => Err(format!("a tensor has {} axes", items.len())),
            _ => Err("a shape is not a tuple".into()),
        }
    }
}
