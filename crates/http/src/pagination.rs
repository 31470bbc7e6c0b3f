//! The pages of lists: their limits, and the way from one page to the next.
//!
//! A handler asks for a [`PageRequest`], has the store read `limit + 1` items after
//! `request.after` in [`PageRequest::reading_order`], and gives them to [`PageRequest::page`] or
//! [`PageRequest::two_way_page`].

use std::str::FromStr;

use hostler_protocol::Timestamp;
use hostler_protocol::page::{Page, TwoWayPage};
use hostler_store::{Order, TimeRange};

use crate::ApiError;
use crate::cursor;
pub(crate) use crate::cursor::{Direction, Position};
use crate::query::Query;

/// The values of `order`.
const ORDERS: &[(&str, Order)] = &[("asc", Order::Ascending), ("desc", Order::Descending)];

fn reversed(order: Order) -> Order {
    match order {
        Order::Ascending => Order::Descending,
        Order::Descending => Order::Ascending,
    }
}

/// What a limit above the list's maximum does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OverMax {
    Refuse,
    Clamp,
}

/// The rules of one list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List {
    /// Names the list in its cursors: a cursor of one list is refused by another.
    pub(crate) name: &'static str,
    pub(crate) limit: usize,
    pub(crate) limit_max: usize,
    pub(crate) over_max: OverMax,
    /// The order when the request doesn't say.
    pub(crate) order: Order,
}

impl List {
    /// Twenty at a time, a hundred at most, newest first.
    pub(crate) const fn named(name: &'static str) -> Self {
        Self {
            name,
            limit: 20,
            limit_max: 100,
            over_max: OverMax::Refuse,
            order: Order::Descending,
        }
    }

    pub(crate) const fn up_to(mut self, limit_max: usize) -> Self {
        self.limit_max = limit_max;
        self
    }

    /// Reads `limit` and `page`; the list has one order.
    ///
    /// # Errors
    /// 400 for a limit out of range and for a cursor that isn't one of this list.
    pub(crate) fn request(&self, query: &Query) -> Result<PageRequest, ApiError> {
        self.request_in_order(query, self.order)
    }

    /// Reads `limit`, `page` and `order`.
    ///
    /// # Errors
    /// As [`List::request`], and for a cursor that was made in another order.
    pub(crate) fn ordered_request(&self, query: &Query) -> Result<PageRequest, ApiError> {
        let order = query.word("order", ORDERS)?.unwrap_or(self.order);
        self.request_in_order(query, order)
    }

    fn request_in_order(&self, query: &Query, order: Order) -> Result<PageRequest, ApiError> {
        let (direction, after) = match query.text("page")? {
            None => (Direction::Next, None),
            Some(cursor) => {
                let (direction, position) = cursor::read(cursor, self.name, order)?;
                (direction, Some(position))
            }
        };
        Ok(PageRequest {
            list: *self,
            limit: self.limit_of(query)?,
            order,
            direction,
            after,
        })
    }

    fn limit_of(&self, query: &Query) -> Result<usize, ApiError> {
        let highest = match self.over_max {
            OverMax::Refuse => i64::try_from(self.limit_max).unwrap_or(i64::MAX),
            OverMax::Clamp => i64::MAX,
        };
        let limit = match query.integer("limit", 1..=highest)? {
            Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
            None => self.limit,
        };
        Ok(limit.min(self.limit_max))
    }
}

/// One page that a client asks for.
#[derive(Debug, Clone)]
pub(crate) struct PageRequest {
    list: List,
    /// Items on the page. The store reads one more, which tells whether another page follows.
    pub(crate) limit: usize,
    /// The order in which the client sees the items.
    pub(crate) order: Order,
    pub(crate) direction: Direction,
    /// The page starts behind this item, in the reading order.
    pub(crate) after: Option<Position>,
}

impl PageRequest {
    /// The order in which the store reads: a page before an item is read backwards.
    pub(crate) fn reading_order(&self) -> Order {
        match self.direction {
            Direction::Next => self.order,
            Direction::Previous => reversed(self.order),
        }
    }

    /// Refuses a cursor whose item the filter leaves out: the pages would not meet.
    ///
    /// # Errors
    /// 400 when the rank, read as a moment, is outside `range`.
    pub(crate) fn check_within(&self, range: &TimeRange) -> Result<(), ApiError> {
        let outside = self.after.as_ref().is_some_and(|position| {
            let moment = Timestamp::from_micros(position.rank);
            range.gt.is_some_and(|bound| moment <= bound)
                || range.gte.is_some_and(|bound| moment < bound)
                || range.lt.is_some_and(|bound| moment >= bound)
                || range.lte.is_some_and(|bound| moment > bound)
        });
        if outside {
            let message = "page: the created_at filter leaves out the position of this cursor";
            return Err(ApiError::invalid(message));
        }
        Ok(())
    }

    /// Turns the `limit + 1` items that the store read into a page that goes forward only.
    pub(crate) fn page<T>(&self, mut items: Vec<T>, position: impl Fn(&T) -> Position) -> Page<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let last = items.last().filter(|_| more).map(position);
        Page {
            next_page: last.map(|last| self.cursor(Direction::Next, &last)),
            data: items,
        }
    }

    /// As [`PageRequest::page`], for lists that are also read backwards.
    pub(crate) fn two_way_page<T>(
        &self,
        mut items: Vec<T>,
        position: impl Fn(&T) -> Position,
    ) -> TwoWayPage<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let came_from_somewhere = self.after.is_some();
        let (has_previous, has_next) = match self.direction {
            Direction::Next => (came_from_somewhere, more),
            Direction::Previous => {
                items.reverse();
                (more, came_from_somewhere)
            }
        };
        let first = items.first().filter(|_| has_previous).map(&position);
        let last = items.last().filter(|_| has_next).map(&position);
        TwoWayPage {
            next_page: last.map(|last| self.cursor(Direction::Next, &last)),
            prev_page: first.map(|first| self.cursor(Direction::Previous, &first)),
            data: items,
        }
    }

    /// For lists that the store pages by itself: the cursor that goes on behind `position`.
    pub(crate) fn next_cursor(&self, position: &Position) -> String {
        self.cursor(Direction::Next, position)
    }

    /// Rows to read: one more than the page shows.
    pub(crate) fn rows(&self) -> u32 {
        u32::try_from(self.limit + 1).unwrap_or(u32::MAX)
    }

    /// The position in a list that is ordered by a moment and an id.
    ///
    /// # Errors
    /// 400 when the cursor holds something else.
    pub(crate) fn after_moment<T: FromStr>(&self) -> Result<Option<(Timestamp, T)>, ApiError> {
        let position = self.after.as_ref().map(|position| {
            let id = position.id.parse().map_err(|_| cursor::invalid())?;
            Ok((Timestamp::from_micros(position.rank), id))
        });
        position.transpose()
    }

    fn cursor(&self, direction: Direction, position: &Position) -> String {
        cursor::write(self.list.name, self.order, direction, position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: List = List::named("numbers");

    /// Reads numbers below 100 as a store would.
    fn read(request: &PageRequest) -> Vec<i64> {
        let mut numbers: Vec<i64> = (0..100).collect();
        if request.reading_order() == Order::Descending {
            numbers.reverse();
        }
        let behind = |number: &i64| match (&request.after, request.reading_order()) {
            (None, _) => true,
            (Some(after), Order::Ascending) => *number > after.rank,
            (Some(after), Order::Descending) => *number < after.rank,
        };
        numbers
            .into_iter()
            .filter(behind)
            .take(request.limit + 1)
            .collect()
    }

    fn position(number: &i64) -> Position {
        Position {
            rank: *number,
            id: format!("number with spaces {number}"),
        }
    }

    fn request(text: &str) -> Result<PageRequest, ApiError> {
        NUMBERS.ordered_request(&Query::parse(text).unwrap())
    }

    fn refusal(text: &str) -> String {
        request(text).unwrap_err().message().to_owned()
    }

    #[test]
    fn forward_pages_hold_every_item_once() {
        for order in ["asc", "desc"] {
            let (mut seen, mut page) = (Vec::new(), String::new());
            loop {
                let request = request(&format!("order={order}&limit=33{page}")).unwrap();
                let answer = request.page(read(&request), position);
                seen.extend(answer.data);
                let Some(next) = answer.next_page else { break };
                page = format!("&page={next}");
            }
            if order == "desc" {
                seen.reverse();
            }
            assert_eq!(seen, (0..100).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_step_back_shows_the_page_before() {
        let first = request("limit=30").unwrap();
        let first_page = first.two_way_page(read(&first), position);
        assert_eq!(first_page.prev_page, None);
        let second = request(&format!("limit=30&page={}", first_page.next_page.unwrap())).unwrap();
        let second_page = second.two_way_page(read(&second), position);
        assert_eq!(second_page.data, (40..70).rev().collect::<Vec<_>>());
        let back = request(&format!("limit=30&page={}", second_page.prev_page.unwrap())).unwrap();
        let back_page = back.two_way_page(read(&back), position);
        assert_eq!(back_page.data, first_page.data);
        assert_eq!(back_page.prev_page, None);
        assert!(back_page.next_page.is_some());
    }

    #[test]
    fn foreign_damaged_and_turned_cursors_are_refused() {
        let first = request("limit=5").unwrap();
        let cursor = first.page(read(&first), position).next_page.unwrap();
        assert_eq!(
            refusal(&format!("order=asc&page={cursor}")),
            "page: page token order does not match request"
        );
        let other = List::named("letters");
        let foreign = other.request(&Query::parse(&format!("page={cursor}")).unwrap());
        assert_eq!(foreign.unwrap_err().message(), "page: invalid page cursor");
        let mut damaged = cursor.into_bytes();
        for position in 0..damaged.len() {
            damaged[position] ^= 1;
            let text = String::from_utf8_lossy(&damaged).into_owned();
            let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            assert_eq!(
                refusal(&format!("page={encoded}")),
                "page: invalid page cursor"
            );
            damaged[position] ^= 1;
        }
        for garbage in ["", "page_", "page_AAAA", "next", &"a".repeat(10_000)] {
            assert_eq!(
                refusal(&format!("page={garbage}")),
                "page: invalid page cursor"
            );
        }
    }

    #[test]
    fn limits_are_refused_or_clamped_as_the_list_says() {
        let clamping = List {
            over_max: OverMax::Clamp,
            ..NUMBERS
        };
        let query = Query::parse("limit=101").unwrap();
        assert_eq!(clamping.request(&query).unwrap().limit, 100);
        assert_eq!(
            refusal("limit=101"),
            "limit: Input should be between 1 and 100"
        );
        assert_eq!(
            refusal("limit=0"),
            "limit: Input should be between 1 and 100"
        );
        assert!(clamping.request(&Query::parse("limit=0").unwrap()).is_err());
        assert_eq!(request("").unwrap().limit, 20);
    }
}
