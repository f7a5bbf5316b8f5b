use strum::{Display, EnumString, IntoStaticStr};

/// The type of a voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", parse_err_ty = UnknownElementType, parse_err_fn = UnknownElementType::new)]
pub enum ElementType {
    /// Unsigned, 8 bits.
    Uint8,
    /// Signed, 8 bits.
    Int8,
    /// Unsigned, 16 bits.
    Uint16,
    /// Signed, 16 bits.
    Int16,
    /// Unsigned, 32 bits.
    Uint32,
    /// Signed, 32 bits.
    Int32,
    /// Unsigned, 64 bits.
    Uint64,
    /// Signed, 64 bits.
    Int64,
    /// IEEE 754, 32 bits.
    Float32,
    /// IEEE 754, 64 bits.
    Float64,
}

impl ElementType {
    /// Every element type.
    pub const ALL: [Self; 10] = [
        Self::Uint8,
        Self::Int8,
        Self::Uint16,
        Self::Int16,
        Self::Uint32,
        Self::Int32,
        Self::Uint64,
        Self::Int64,
        Self::Float32,
        Self::Float64,
    ];

    /// Bytes per voxel: 1, 2, 4 or 8.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Uint8 | Self::Int8 => 1,
            Self::Uint16 | Self::Int16 => 2,
            Self::Uint32 | Self::Int32 | Self::Float32 => 4,
            Self::Uint64 | Self::Int64 | Self::Float64 => 8,
        }
    }

    /// The name numpy and Zarr v3 use, e.g. `int16`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The largest value of an integer type; `None` for the floating-point types.
    #[must_use]
    pub fn integer_max(self) -> Option<f64> {
        Some(match self {
            Self::Uint8 => f64::from(u8::MAX),
            Self::Int8 => f64::from(i8::MAX),
            Self::Uint16 => f64::from(u16::MAX),
            Self::Int16 => f64::from(i16::MAX),
            Self::Uint32 => f64::from(u32::MAX),
            Self::Int32 => f64::from(i32::MAX),
            Self::Uint64 => u64::MAX as f64,
            Self::Int64 => i64::MAX as f64,
            Self::Float32 | Self::Float64 => return None,
        })
    }
}

/// The text is not the name of an element type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown element type {0:?}")]
pub struct UnknownElementType(pub String);

impl UnknownElementType {
    fn new(name: &str) -> Self {
        Self(name.to_owned())
    }
}
