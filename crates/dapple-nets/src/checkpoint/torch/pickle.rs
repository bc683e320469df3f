//! A parser of the pickles in checkpoints.
//!
//! A pickle is a program for a stack machine that may call anything by its name. This one knows the opcodes that
//! Python writes, and calls nothing: the few names that `torch.save` writes for tensors are understood as data, every
//! other class is opaque. What a training keeps beside its weights (settings, counters, dates, paths) is thereby read
//! over.

use super::stack::Machine;
use super::value::{Pickle, Value};
use std::io::BufRead;

/// Reads one pickle, and leaves the source after its end.
pub(super) fn read(source: &mut impl BufRead) -> Result<Pickle, String> {
    let mut machine = Machine::new(source);
    loop {
        if machine.step()? {
            let root = machine.pop()?;
            return Ok(Pickle { values: machine.values, root });
        }
    }
}

impl<R: BufRead> Machine<'_, R> {
    /// Runs one instruction; whether it was the last.
    fn step(&mut self) -> Result<bool, String> {
        let [opcode] = self.bytes()?;
        match opcode {
            b'.' => return Ok(true),
            // PROTO, FRAME.
            0x80 => drop(self.bytes::<1>()?),
            0x95 => drop(self.bytes::<8>()?),
            // MARK, POP, POP_MARK, DUP.
            b'(' => self.open_mark(),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push_again(top)?;
            }

            // NONE, NEWTRUE, NEWFALSE, NEXT_BUFFER.
            b'N' | 0x88 | 0x89 | 0x97 => self.push(Value::Other)?,
            // READONLY_BUFFER.
            0x98 => {}
            // FLOAT, BINFLOAT.
            b'F' => {
                self.line()?;
                self.push(Value::Other)?;
            }
            b'G' => {
                self.bytes::<8>()?;
                self.push(Value::Other)?;
            }
            // INT, LONG, BININT, BININT1, BININT2, LONG1, LONG4.
            b'I' | b'L' => {
                let text = self.line()?;
                let number = text.trim_end_matches('L').parse().ok();
                self.push(number.map_or(Value::Other, Value::Int))?;
            }
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
            0x8a => {
                let [len] = self.bytes()?;
                self.long(len.into())?;
            }
            0x8b => {
                let len = u32::from_le_bytes(self.bytes()?);
                self.long(len.into())?;
            }
            // UNICODE, BINUNICODE, SHORT_BINUNICODE, BINUNICODE8; STRING, BINSTRING and SHORT_BINSTRING of Python 2.
            b'V' => {
                let text = self.line()?;
                self.push(Value::Text(text))?;
            }
            b'S' => {
                let text = self.line()?;
                let quotes: &[char] = &['\'', '"'];
                self.push(Value::Text(text.trim_matches(quotes).to_owned()))?;
            }
            b'X' | b'T' => {
                let len = u32::from_le_bytes(self.bytes()?);
                self.text(len.into())?;
            }
            0x8c | b'U' => {
                let [len] = self.bytes()?;
                self.text(len.into())?;
            }
            0x8d => {
                let len = u64::from_le_bytes(self.bytes()?);
                self.text(len)?;
            }
            // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8.
            b'B' => {
                let len = u32::from_le_bytes(self.bytes()?);
                self.skip(len.into())?;
            }
            b'C' => {
                let [len] = self.bytes()?;
                self.skip(len.into())?;
            }
            0x8e | 0x96 => {
                let len = u64::from_le_bytes(self.bytes()?);
                self.skip(len)?;
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
            // EMPTY_LIST, LIST, EMPTY_SET, FROZENSET; APPEND, APPENDS, ADDITEMS.
            b']' | 0x8f => self.push(Value::List(Vec::new()))?,
            b'l' | 0x91 => {
                let items = self.pop_mark()?;
                self.push(Value::List(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(items)?;
            }
            // EMPTY_DICT, DICT, SETITEM, SETITEMS.
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Value::Dict(Vec::new()))?;
                self.set_items(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(items)?;
            }

            // PUT, BINPUT, LONG_BINPUT, MEMOIZE; GET, BINGET, LONG_BINGET.
            b'p' => {
                let slot = self.slot()?;
                self.remember(slot)?;
            }
            b'q' => {
                let [slot] = self.bytes()?;
                self.remember(slot.into())?;
            }
            b'r' => {
                let slot = u32::from_le_bytes(self.bytes()?);
                self.remember(slot as usize)?;
            }
            0x94 => self.remember_next()?,
            b'g' => {
                let slot = self.slot()?;
                self.recall(slot)?;
            }
            b'h' => {
                let [slot] = self.bytes()?;
                self.recall(slot.into())?;
            }
            b'j' => {
                let slot = u32::from_le_bytes(self.bytes()?);
                self.recall(slot as usize)?;
            }

            // GLOBAL, STACK_GLOBAL.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.name(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (name, module) = (self.as_text(name)?.to_owned(), self.as_text(module)?.to_owned());
                self.name(&module, &name)?;
            }
            // REDUCE and NEWOBJ, NEWOBJ_EX, INST, OBJ; BUILD.
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                self.call(callee, arguments)?;
            }
            0x92 => {
                let (_, arguments, callee) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callee, arguments)?;
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                self.pop_mark()?;
                self.name(&module, &name)?;
                let class = self.pop()?;
                self.push(Value::Object { class, attributes: None })?;
            }
            b'o' => {
                let items = self.pop_mark()?;
                let class = *items.first().ok_or("an object has no class")?;
                self.push(Value::Object { class, attributes: None })?;
            }
            b'b' => self.build()?,
            // PERSID, BINPERSID.
            b'P' => {
                self.line()?;
                self.push(Value::Other)?;
            }
            b'Q' => self.storage()?,
            other => return Err(format!("opcode 0x{other:02x} does not occur in files of torch.save")),
        }
        Ok(false)
    }
}
