__all__ = [
    'CommlifeDeprecationWarning',
    'CommlifeError',
    'CommlifeWarning',
    'ConfigError',
    'DriftWarning',
    'EngineError',
    'FewerBinsWarning',
    'InsufficientDataError',
    'LeftTruncatedWarning',
    'ModelWarning',
    'PersistenceError',
    'SchemaError',
]

class CommlifeDeprecationWarning(FutureWarning):
    ...

class CommlifeError(Exception):
    ...

class CommlifeWarning(UserWarning):
    ...

class ConfigError(CommlifeError, ValueError):
    @classmethod
    def from_pydantic(cls, owner, errors, allowed): ...
    @classmethod
    def unknown_name(cls, what, seen, allowed): ...

class DriftWarning(CommlifeWarning):
    ...

class EngineError(CommlifeError):
    ...

class FewerBinsWarning(CommlifeWarning):
    ...

class InsufficientDataError(CommlifeError):
    @classmethod
    def no_payers(cls, what, as_of): ...

class LeftTruncatedWarning(CommlifeWarning):
    ...

class ModelWarning(CommlifeWarning):
    ...

class PersistenceError(CommlifeError):
    ...

class SchemaError(CommlifeError):
    ...
