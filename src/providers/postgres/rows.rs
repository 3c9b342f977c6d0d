//! Values to and from PostgreSQL: parameters as text whatever their type, rows as JSON objects. Must never
//! change a value's meaning: what JSON cannot hold exactly becomes the text PostgreSQL itself prints.

use std::error::Error;

use serde_json::{Map, Value};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type};
use tokio_postgres::{Client, Row, Statement};

/// A parameter that is sent as text and read by the server as whatever type it needs.
#[derive(Debug)]
pub(super) struct TextValue(Option<String>);

impl TextValue {
    /// Takes a JSON value: text as it is, lists and objects as JSON.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self(None),
            Value::String(text) => Self(Some(text.clone())),
            other => Self(Some(other.to_string())),
        }
    }
}

impl ToSql for TextValue {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            None => Ok(IsNull::Yes),
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}

/// The statement, wrapped where needed so that every column has a type that can be shown: other columns are
/// cast to text by the server. A statement that cannot be wrapped is taken as it is.
pub(super) async fn with_shown_columns(client: &Client, sql: &str, statement: Statement) -> Statement {
    if statement.columns().iter().all(|column| is_shown(column.type_())) {
        return statement;
    }
    let names: Vec<String> = (1..=statement.columns().len()).map(|at| format!("c{at}")).collect();
    let columns: Vec<String> = statement
        .columns()
        .iter()
        .zip(&names)
        .map(|(column, name)| {
            let cast = if is_shown(column.type_()) { "" } else { "::text" };
            format!("{name}{cast} AS \"{}\"", column.name().replace('"', "\"\""))
        })
        .collect();
    let (columns, names) = (columns.join(", "), names.join(", "));
    // A line break ends a comment at the end of the statement. The second form takes INSERT … RETURNING and
    // its like.
    for wrapped in [
        format!("SELECT {columns} FROM ({sql}\n) AS drctl ({names})"),
        format!("WITH drctl ({names}) AS ({sql}\n) SELECT {columns} FROM drctl"),
    ] {
        if let Ok(wrapped) = client.prepare(&wrapped).await
            && wrapped.params() == statement.params()
        {
            return wrapped;
        }
    }
    statement
}

/// A row as an object. Of two columns of one name the last is kept.
pub(super) fn object(row: &Row) -> Value {
    let mut fields = Map::new();
    for (at, column) in row.columns().iter().enumerate() {
        let value = match row.try_get::<_, Option<Shown>>(at) {
            Ok(Some(Shown(value))) => value,
            Ok(None) => Value::Null,
            Err(_) => Value::String(format!(
                "(a value of type {} cannot be shown; cast it to text)",
                column.type_()
            )),
        };
        fields.insert(column.name().to_owned(), value);
    }
    Value::Object(fields)
}

/// A value as JSON.
struct Shown(Value);

impl<'a> FromSql<'a> for Shown {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let value = match *kind {
            Type::BOOL => bool::from_sql(kind, raw)?.into(),
            Type::INT2 => i16::from_sql(kind, raw)?.into(),
            Type::INT4 => i32::from_sql(kind, raw)?.into(),
            Type::INT8 => i64::from_sql(kind, raw)?.into(),
            Type::OID => u32::from_sql(kind, raw)?.into(),
            Type::FLOAT4 => number(f64::from(f32::from_sql(kind, raw)?)),
            Type::FLOAT8 => number(f64::from_sql(kind, raw)?),
            Type::JSON | Type::JSONB => Value::from_sql(kind, raw)?,
            _ => Value::String(String::from_sql(kind, raw)?),
        };
        Ok(Self(value))
    }

    fn accepts(kind: &Type) -> bool {
        is_shown(kind)
    }
}

/// Infinities and NaN are no JSON numbers.
fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)
}

/// Types read without the server's help.
fn is_shown(kind: &Type) -> bool {
    const TYPES: &[Type] = &[
        Type::BOOL,
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::OID,
        Type::FLOAT4,
        Type::FLOAT8,
        Type::JSON,
        Type::JSONB,
        Type::TEXT,
        Type::VARCHAR,
        Type::BPCHAR,
        Type::NAME,
        Type::UNKNOWN,
    ];
    TYPES.contains(kind)
}
