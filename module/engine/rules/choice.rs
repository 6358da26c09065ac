// SPDX-License-Identifier: GPL-2.0
//! Enumerations of extensions: which matches and targets there are, and their numbers on netlink.

/// Declares an enumeration that travels as exactly one attribute of a set; the attribute tells the variant.
///
/// A variant with a value is that value's attribute, one without is a flag.
#[macro_export]
macro_rules! choice {
    (
        $(#[$meta:meta])*
        pub enum $name:ident, $set:literal {
            $( $(#[$doc:meta])* $id:literal $variant:ident $attr:literal $(($type:ty))?, )*
        }
    ) => {
        $(#[$meta])*
        pub enum $name {
            $( $(#[$doc])* $variant $(($type))?, )*
        }

        impl $name {
            /// The attributes, one for each variant.
            pub const SET: $crate::uapi::field::Set = $crate::uapi::field::Set {
                name: $set,
                attributes: &[ $( $crate::uapi::field::Spec {
                    id: $id,
                    name: $attr,
                    kind: $crate::choice!(@kind $($type)?),
                }, )* ],
            };

            /// Writes the variant's attribute.
            pub fn encode(
                &self,
                to: &mut $crate::uapi::attr::Writer,
            ) -> Result<(), $crate::uapi::attr::Full> {
                match self {
                    $( $crate::choice!(@pattern $variant value $($type)?) =>
                        $crate::choice!(@put to $id value $($type)?), )*
                }
            }

            /// Reads the variant that an attribute stands for.
            pub fn decode(
                attribute: &$crate::uapi::attr::Attr<'_>,
            ) -> Result<Self, $crate::uapi::attr::Error> {
                match attribute.id {
                    $( $id => $crate::choice!(@get attribute $variant $($type)?), )*
                    _ => Err(attribute.error(
                        $crate::uapi::Errno::NotSupported,
                        concat!("not known: ", $set),
                    )),
                }
            }
        }
    };

    (@kind) => { $crate::uapi::field::Kind::Flag };
    (@kind $type:ty) => { <$type as $crate::uapi::field::Field>::KIND };
    (@pattern $variant:ident $value:ident) => { Self::$variant };
    (@pattern $variant:ident $value:ident $type:ty) => { Self::$variant($value) };
    (@put $to:ident $id:literal $value:ident) => { $to.put($id, &[]) };
    (@put $to:ident $id:literal $value:ident $type:ty) => {
        $crate::uapi::field::Field::put($value, $id, $to)
    };
    (@get $attribute:ident $variant:ident) => {
        <bool as $crate::uapi::field::Field>::get($attribute).map(|_| Self::$variant)
    };
    (@get $attribute:ident $variant:ident $type:ty) => {
        {
            let mut value: Option<$type> = None;
            $crate::uapi::field::read(&mut value, $attribute)
                .and_then(|()| value.ok_or($attribute.invalid("attribute is missing")))
                .map(Self::$variant)
        }
    };
}
