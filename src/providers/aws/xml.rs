//! Reads the XML of the query protocols by path. Must never fail on what is not there: absence is an answer.

use roxmltree::{Document, Node};

use super::failure::Error;

/// Parses an answer. Entities and document types are refused by the parser.
pub(super) fn parse(text: &str) -> Result<Document<'_>, Error> {
    Document::parse(text).map_err(|error| Error::Unreadable(format!("no XML: {error}")))
}

/// The first element at a path of names below a node, such as `AssumeRoleResult/Credentials`.
pub(super) fn at<'a, 'input>(node: Node<'a, 'input>, path: &str) -> Option<Node<'a, 'input>> {
    let mut found = node;
    for name in path.split('/') {
        found = found.children().find(|child| child.tag_name().name() == name)?;
    }
    Some(found)
}

/// The text at a path.
pub(super) fn text<'a>(node: Node<'a, '_>, path: &str) -> Option<&'a str> {
    at(node, path)?.text().map(str::trim)
}

/// The members of the list at a path: `member` in the query protocol, `item` in that of EC2.
pub(super) fn members<'a, 'input>(node: Node<'a, 'input>, path: &str) -> Vec<Node<'a, 'input>> {
    let list = at(node, path).into_iter().flat_map(|list| list.children());
    list.filter(|child| matches!(child.tag_name().name(), "member" | "item")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_absent() {
        let text_of = "<R xmlns='urn:x'><A><B> b </B><L><member><C>1</C></member><member/></L></A></R>";
        let document = parse(text_of).unwrap();
        let root = document.root_element();
        assert_eq!(text(root, "A/B"), Some("b"));
        assert_eq!(text(root, "A/X"), None);
        let list = members(root, "A/L");
        assert_eq!((list.len(), text(list[0], "C")), (2, Some("1")));
        assert!(members(root, "A/Nothing").is_empty());
    }

    #[test]
    fn entities_are_refused() {
        let bomb = "<!DOCTYPE r [<!ENTITY a 'aaaa'>]><r>&a;</r>";
        assert!(matches!(parse(bomb), Err(Error::Unreadable(_))));
    }
}
