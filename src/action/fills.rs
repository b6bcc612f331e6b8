//! What an action leaves, as data: how an old call is repeated without putting back what newer ones have written.

/// What the fields of an action are to a call that is repeated: every one that is not named here is a value that is written.
#[derive(Debug)]
pub struct Fills {
    /// Whose state it writes.
    pub about: About,
    /// Where a person's, fields of which any makes it a company's instead.
    pub or_company: &'static [&'static str],
    /// Fields that say who or what is meant; they are sent with whatever is left.
    pub identity: &'static [&'static str],
    /// Fields that say nothing of who is meant, and are sent with whatever is left as well.
    pub beside: &'static [&'static str],
    /// The field with the sender's own id: two calls with different ones are about two people, whatever else they share.
    pub own_id: Option<&'static str>,
    /// Fields that are written and may say who is meant; they stay while they have the newest value.
    pub names: &'static [&'static str],
    /// By which a person belongs to a company.
    pub company: Option<Tie>,
    /// By which tags are put on, or taken off.
    pub tags: Option<Tie>,
    /// Whether a call that ends a belonging writes nothing else.
    pub only_unties: bool,
    /// Whether whom it is about is there afterwards: `None` when it makes nobody and takes nobody away.
    pub presence: Option<bool>,
    /// Whether nothing is left of whom it is about, so that nothing older is to be said of who comes later.
    pub erases: bool,
    /// The step that is finished when the values are written, though the rest is not; or may have been.
    pub values_step: Option<&'static str>,
    /// How the step begins that is finished when a tag is put on, though the rest is not; the tag's name follows.
    pub tag_step: Option<&'static str>,
}

impl Fills {
    /// Writes values of a person, and nothing more.
    pub const PERSON: Fills = Fills {
        about: About::Person,
        or_company: &[],
        identity: &[],
        beside: &[],
        own_id: None,
        names: &[],
        company: None,
        tags: None,
        only_unties: false,
        presence: None,
        erases: false,
        values_step: None,
        tag_step: None,
    };

    /// The step that says of which fields an action has not written what it was given, as a list in JSON.
    pub const LEFT_OUT: &'static str = "left_out";

    /// Writes values of a company, and nothing more.
    pub const COMPANY: Fills = Fills { about: About::Company, ..Fills::PERSON };
}

/// Fields by which one thing belongs to others.
#[derive(Debug, Clone, Copy)]
pub struct Tie {
    /// The fields of which the first that has a value names the others: a text, or a list of them.
    pub to: &'static [&'static str],
    /// All fields that are about it, which are sent together or not at all.
    pub fields: &'static [&'static str],
    /// What is done.
    pub does: Does,
}

/// Which way a belonging goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// It begins.
    Ties,
    /// It ends.
    Unties,
    /// It ends when that field is true, else it begins.
    UntiesIf(&'static str),
}

/// Whose state an action writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A person's.
    Person,
    /// A company's.
    Company,
}
