//! A request that must be a JSON object.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Decodes `T` from a JSON object only: what serde derives for a struct takes its fields from an
/// array in the right order, too.
///
/// ```
/// use mono_demo::mono::{Object, decode};
/// #[derive(serde::Deserialize)]
/// struct Hello { name: String }
/// assert!(decode::<Object<Hello>>(br#"{"name": "Ada"}"#).is_ok());
/// assert!(decode::<Hello>(br#"["Ada"]"#).is_ok());
/// assert!(decode::<Object<Hello>>(br#"["Ada"]"#).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Only<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Only(PhantomData)).map(Object)
    }
}
