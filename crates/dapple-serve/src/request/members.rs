//! A flat JSON object, read in memory for its texts: names are unique, values are texts, numbers, truth values or lists of
//! them. (Of two members with one name, serde's maps keep the last in silence, and a tree of values is many times larger than its text.)

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Far more than there are parameters.
const MOST_MEMBERS: usize = 64;
/// Far more than a list has, that of all classes.
const MOST_ITEMS: usize = 1024;

/// The value of a member.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Member {
    /// `null`.
    Absent,
    /// A text.
    Text(String),
    /// A number or a truth value, as text.
    Other(String),
    /// The texts, numbers and truth values of a list.
    List(Vec<String>),
}

/// The members in their order.
#[derive(Debug)]
pub(crate) struct Members(pub Vec<(String, Member)>);

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members: Vec<(String, Member)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Member>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("`{name}` is there twice")));
            }
            if members.len() == MOST_MEMBERS {
                return Err(A::Error::custom("it has too many members"));
            }
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Takes a value; in a list, no further list.
struct ValueVisitor {
    in_list: bool,
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.in_list {
            "a text, a number, true or false"
        } else {
            "a text, a number, true, false, or a list of them"
        })
    }

    fn visit_unit<E: Error>(self) -> Result<Member, E> {
        Ok(Member::Absent)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Member, E> {
        Ok(Member::Other(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Member, E> {
        Ok(Member::Other(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Member, E> {
        Ok(Member::Other(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Member, E> {
        Ok(Member::Other(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Member, E> {
        Ok(Member::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Member, A::Error> {
        if self.in_list {
            return Err(A::Error::custom("a list in a list"));
        }
        let mut list = Vec::new();
        while let Some(Item(item)) = items.next_element()? {
            match item {
                Member::Text(text) | Member::Other(text) if list.len() < MOST_ITEMS => list.push(text),
                Member::Text(_) | Member::Other(_) => return Err(A::Error::custom("a list is too long")),
                Member::Absent | Member::List(_) => return Err(A::Error::custom("null in a list")),
            }
        }
        Ok(Member::List(list))
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { in_list: false })
    }
}

/// An item of a list.
struct Item(Member);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { in_list: true }).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_flat_and_their_members_unique() {
        let read = |text: &str| serde_json::from_str::<Members>(text);
        let members = read(r#"{"a":"x","b":[1,"y",true],"c":null,"d":0.5}"#).expect("a flat object").0;
        let list = Member::List(["1", "y", "true"].map(str::to_owned).into());
        assert_eq!(
            members.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
            [Member::Text("x".into()), list, Member::Absent, Member::Other("0.5".into()),]
        );
        let many = format!("{{\"a\":[{}0]}}", "0,".repeat(MOST_ITEMS));
        for wrong in
            ["[]", "1", r#"{"a":{}}"#, r#"{"a":[[1]]}"#, r#"{"a":[null]}"#, r#"{"a":1,"a":1}"#, &many]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
