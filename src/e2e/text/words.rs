//! The words of a name, in small letters: those of `orderId`, `order_id` and `Order-Id` are the same.

/// The words, in order. Digits belong to the word before them.
pub(in crate::e2e) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut begins = true;
    let mut before_is_small = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            (begins, before_is_small) = (true, false);
            continue;
        }
        begins |= c.is_uppercase() && before_is_small;
        before_is_small = !c.is_uppercase();
        let small = c.to_lowercase();
        match words.last_mut().filter(|_| !begins) {
            Some(word) => word.extend(small),
            None => words.push(small.collect()),
        }
        begins = false;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_name_has_the_same_words_however_it_is_written() {
        for name in ["orderId", "order_id", "Order-Id", "ORDER_ID", "order.id", "OrderID"] {
            assert_eq!(words(name), ["order", "id"], "{name}");
        }
        assert_eq!(words("apiKey2"), ["api", "key2"]);
        assert!(words("").is_empty() && words("__").is_empty());
    }
}
