"""Where Alembic starts: run the revisions on the connection it was given.

The connection comes from `imgsearch.catalog.revisions`, already inside a transaction, so all steps
land or none. Models are not imported: a revision says for itself what it adds.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("target_metadata"),
    render_as_batch=True,
)
context.run_migrations()
