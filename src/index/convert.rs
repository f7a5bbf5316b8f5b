//! Between columns and values.

use serde_json::{Value as Json, json};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::IndexError;
use crate::spider::Split;
use crate::volume::{Axis, Geometry, Grid};

/// A geometry as JSON; every number reads back to the same bits.
pub(super) fn geometry_to_json(geometry: &Geometry) -> String {
    let axes = geometry.axes.map(|a| json!({ "len": a.len, "spacing_mm": a.spacing_mm, "direction": a.direction }));
    json!({ "axes": axes, "origin_mm": geometry.origin_mm }).to_string()
}

/// The reverse of [`geometry_to_json`].
pub(super) fn geometry_from_json(text: &str) -> Result<Geometry, IndexError> {
    let unusable = || IndexError::Unusable { what: "geometry", value: text.to_owned() };
    let json: Json = serde_json::from_str(text).map_err(|_| unusable())?;
    let point = |json: &Json| -> Option<[f64; 3]> { Some([json[0].as_f64()?, json[1].as_f64()?, json[2].as_f64()?]) };
    let axis = |json: &Json| {
        let len = usize::try_from(json["len"].as_u64()?).ok()?;
        Some(Axis { len, spacing_mm: json["spacing_mm"].as_f64()?, direction: point(&json["direction"])? })
    };
    let axes = |json: &Json| Some([axis(&json[0])?, axis(&json[1])?, axis(&json[2])?]);
    let read = || Some(Geometry { axes: axes(&json["axes"])?, origin_mm: point(&json["origin_mm"])? });
    read().ok_or_else(unusable)
}

/// Columns by name, with errors that say which.
pub(super) struct Columns<'a>(pub(super) &'a SqliteRow);

impl Columns<'_> {
    pub(super) fn get<'r, T>(&'r self, name: &'static str) -> Result<T, IndexError>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.0.try_get(name).map_err(|source| IndexError::Read { what: name, source })
    }

    /// A count or an index.
    pub(super) fn count(&self, name: &'static str) -> Result<u64, IndexError> {
        let value: i64 = self.get(name)?;
        u64::try_from(value).map_err(|_| IndexError::Unusable { what: name, value: value.to_string() })
    }

    /// A count or an index, for indexing.
    pub(super) fn index(&self, name: &'static str) -> Result<usize, IndexError> {
        Ok(self.count(name)? as usize)
    }

    /// A text that means something.
    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, IndexError> {
        let text: &str = self.get(name)?;
        text.parse().map_err(|_| IndexError::Unusable { what: name, value: text.to_owned() })
    }

    /// A JSON text.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, name: &'static str) -> Result<T, IndexError> {
        let text: &str = self.get(name)?;
        serde_json::from_str(text).map_err(|_| IndexError::Unusable { what: name, value: text.to_owned() })
    }

    /// The grid of a file's geometry.
    pub(super) fn grid(&self, name: &'static str) -> Result<Grid, IndexError> {
        geometry_from_json(self.get(name)?).map(Grid::new)
    }

    /// A split, where there is one.
    pub(super) fn split(&self, name: &'static str) -> Result<Option<Split>, IndexError> {
        let text: Option<&str> = self.get(name)?;
        let unusable = |text: &str| IndexError::Unusable { what: name, value: text.to_owned() };
        text.map(|text| text.parse().map_err(|_| unusable(text))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_survives_to_the_last_bit() {
        let axis = |len, spacing_mm| Axis { len, spacing_mm, direction: [1.0 / 3.0, 4.897e-12, -0.0] };
        let geometry = Geometry {
            axes: [axis(1, 0.1), axis(2, 3.32114716), axis(3, f64::MIN_POSITIVE)],
            origin_mm: [1e300, -0.3, 7.0],
        };
        let back = geometry_from_json(&geometry_to_json(&geometry)).unwrap();
        let bits = |g: &Geometry| g.axes.map(|a| (a.len, a.spacing_mm.to_bits(), a.direction.map(f64::to_bits)));
        assert_eq!(bits(&back), bits(&geometry));
        assert_eq!(back.origin_mm.map(f64::to_bits), geometry.origin_mm.map(f64::to_bits));
    }

    #[test]
    fn anything_else_is_unusable() {
        for text in ["", "{}", r#"{"axes":[],"origin_mm":[0,0,0]}"#] {
            assert!(geometry_from_json(text).is_err(), "{text}");
        }
    }
}
